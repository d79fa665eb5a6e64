"""Derivation: from a graph to named lines, forward and backward."""
