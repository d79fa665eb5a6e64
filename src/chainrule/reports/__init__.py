"""Reports: one page about a run, readable without a network and without a script."""
