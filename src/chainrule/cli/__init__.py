"""The command line: commands that compute and say what they found."""

import sys


def main() -> None:
    """Run the command that was typed."""
    from chainrule.cli.app import run

    sys.exit(run(sys.argv[1:]))
