"""How fast the package is: ``python -m benchmarks`` measures the standard set, ``--help`` tells of the rest."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audiolcm.environment import terminal
from audiolcm.environment.guard import one_sentence, settle_user
from audiolcm.environment.interrupts import raise_on_signal
from audiolcm.errors import UserError

USAGE = """\
measurements:
  python -m benchmarks                                     the standard set (about an hour)
  python -m benchmarks list                                what can be named
  python -m benchmarks denoiser training                   two contests of the set
  python -m benchmarks denoiser-base-bfloat16-b8-5s        one case
  python -m benchmarks denoiser --against 5d7ea24          each case here and at a commit, by turns
  python -m benchmarks denoiser --against hardware.precision=float32
  python -m benchmarks sampler hardware.num_threads=1      with overrides of the configuration
  python -m benchmarks profile denoiser-base-bfloat16      a chrome trace, and the ten costliest operations
  python -m benchmarks render                              docs/performance.md from the results
"""
COMMANDS = ("list", "profile", "render")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names and return the exit code; a user's mistake is one message."""
    given = _parser().parse_args(arguments)
    terminal.prepare()
    settle_user()
    try:
        with one_sentence(), raise_on_signal():  # workers end with it
            return _run(given)
    except UserError as error:
        terminal.complain(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks", epilog=USAGE, formatter_class=form, description=__doc__
    )
    add = parser.add_argument
    add(
        "names",
        nargs="*",
        metavar="NAME",
        help="contests or cases, and overrides; or list, profile NAME, render",
    )
    add("--against", nargs="+", metavar="WORD", help="a commit, or overrides that make the other version")
    add("--rounds", type=int, default=5, help="(5)")
    add("--seconds", type=float, default=2.0, help="least length of a round (2)")
    add("--results", type=Path, default=Path(__file__).parent / "results", help="folder (benchmarks/results)")
    add("--traces", type=Path, default=Path("runs/profiles"), help="folder of the traces (runs/profiles)")
    return parser


def _run(given: argparse.Namespace) -> int:
    command = given.names[0] if given.names and given.names[0] in COMMANDS else ""
    if command == "list":
        from benchmarks.speed.catalog import listed

        terminal.say(listed())
        return 0
    if command == "render":
        from benchmarks.speed.page import render

        return render(given)
    if command == "profile":
        return _profile(given)
    from benchmarks.speed.run import run

    names, words = split(given.names)
    return run(names, words, given)


def split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names of measurements, and overrides of the configuration."""
    return [name for name in names if "=" not in name], [name for name in names if "=" in name]


def _profile(given: argparse.Namespace) -> int:
    from benchmarks.speed.tracing import write_profile

    names, words = split(given.names[1:])
    if not names:
        raise UserError("Name what is profiled: python -m benchmarks profile denoiser-base-bfloat16")
    for name in names:
        trace, table = write_profile(name, words, given.results, given.traces)
        terminal.say(f"{table}\nWritten: {trace} (open it in chrome://tracing or ui.perfetto.dev)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
