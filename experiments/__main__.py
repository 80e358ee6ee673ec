"""Commands about sweeps and results: ``python -m experiments status``, ``sync`` and ``render``."""

import argparse
import sys
from pathlib import Path

from audiolcm.errors import UserError
from experiments.render_command import add_render, run_render
from experiments.status import status
from experiments.sync import sync


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one message."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("status", help="how the jobs of a sweep are, during it and after")
    shown.add_argument("folders", nargs="*", type=Path, help="of sweeps; none: the newest one below runs")
    shown.add_argument("--all", action="store_true", help="every sweep below runs")
    shown.add_argument("--json", action="store_true", help="for machines")
    sent = commands.add_parser("sync", help="upload the offline W&B runs")
    sent.add_argument("folders", nargs="*", type=Path, help="where to look; none: artifacts and runs")
    sent.add_argument("--unfinished", action="store_true", help="also those still being written")
    add_render(commands)
    given = parser.parse_args(arguments)
    try:
        if given.command == "status":
            return status(given.folders, given.all, given.json)
        if given.command == "render":
            return run_render(given)
        return sync(given.folders, given.unfinished)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
