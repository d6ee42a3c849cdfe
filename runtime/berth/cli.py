"""The command `berth`: so far `berth serve`, the dedicated model server."""

import argparse
import sys
from collections.abc import Sequence

from berth.server.serve import add_arguments, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="berth", description="Runs Berth's models.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_arguments(commands.add_parser("serve", help="answer by the Open Inference Protocol"))
    return serve(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
