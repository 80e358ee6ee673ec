"""The paper's tables and figures: ``python -m experiments list``, ``run``, ``status``, ``render``, ... (``--help``)."""

import argparse
import sys
from pathlib import Path

try:
    from audiolcm.environment.guard import one_sentence
except ModuleNotFoundError:  # as pip refuses a Python that is too old
    sys.exit(f"{sys.executable} has no AudioLCM (which needs Python 3.11 or newer). In the checkout's folder type: "
             "pip install -c constraints.txt -e .")  # fmt: skip

with one_sentence():
    from audiolcm.commands.options import Parser
    from audiolcm.configuration.checking import nearest
    from audiolcm.environment import terminal
    from audiolcm.environment.guard import settle_user
    from audiolcm.environment.interrupts import raise_on_signal
    from audiolcm.errors import UserError
    from audiolcm.sweeps.row_sweeper import SCALES
    from experiments.diagnosing.command import add_diagnose, run_diagnose
    from experiments.rendering.command import add_render, run_render
    from experiments.running.sweep_status import has_sweep, status
    from experiments.running.sync import sync

RUNS = Path("runs")
RECORDS = Path("experiments/results/records")


def main(arguments: list[str] | None = None, prog: str = "python -m experiments") -> int:
    """Run one command and return its exit code; a user's mistake is one message. Help calls the program ``prog``."""
    parser: argparse.ArgumentParser = Parser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the paper's tables and figures")
    started = commands.add_parser("run", help="train and evaluate all rows of one of them")
    started.add_argument("name", help="such as table6_backbone")
    started.add_argument(
        "words",
        nargs="*",
        help="overrides, such as dataset.root=FOLDER; train:X=Y for train.py only",
    )
    started.add_argument("--scale", choices=SCALES, default=SCALES[0])
    started.add_argument("--dry-run", action="store_true", help="print each job and what sets it apart")
    shown = commands.add_parser("status", help="how the paper's items stand, and the jobs of a sweep")
    shown.add_argument(
        "names",
        nargs="*",
        help="items, or folders of sweeps; none: all items and the newest sweep below runs",
    )
    shown.add_argument("--all", action="store_true", help="every sweep below runs")
    shown.add_argument("--json", action="store_true", help="for machines")
    sent = commands.add_parser("sync", help="upload the offline W&B runs")
    sent.add_argument("folders", nargs="*", type=Path, help="where to look; none: artifacts and runs")
    sent.add_argument("--unfinished", action="store_true", help="also those still being written")
    add_render(commands)
    add_diagnose(commands)
    _add_strip(commands)
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    terminal.prepare()
    settle_user()
    given.words = [*getattr(given, "words", ()), *rest]  # argparse takes no words behind an option
    try:
        with one_sentence(), raise_on_signal():  # what a command started ends with it
            return _COMMANDS[given.command](given) or terminal.exit_code()
    except UserError as error:
        terminal.complain(f"{error}\n")
        return 1


def _add_strip(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    strip = commands.add_parser(
        "strip", help="a picture of spectrograms, and short sounds, of a few captions"
    )
    strip.add_argument("checkpoint", type=Path, help="folder of a finished student or teacher")
    strip.add_argument("captions", nargs="+", help="what is to be heard, each in quotes")
    strip.add_argument("--out", type=Path, default=Path("docs/images"), help="folder (docs/images)")
    strip.add_argument("--duration", type=float, default=2.56, help="seconds of each sound (2.56)")
    strip.add_argument("--seed", type=int, default=0)
    strip.add_argument("--steps", type=int, help="sampling steps; none: the model's own")
    strip.add_argument("--omega", type=float, help="guidance; none: the model's own")
    words = (
        "captions of test clips: beside the true sound the teacher's, and the student's at 1, 2 and 4 steps"
    )
    strip.add_argument("--beside", action="store_true", help=words)


def _strip(given: argparse.Namespace) -> int:
    from experiments.rendering.strip import run_strip

    return run_strip(given)


def _list(given: argparse.Namespace) -> int:
    from experiments.running.run import list_items  # here and below: other commands should not wait for it

    return list_items()


def _run(given: argparse.Namespace) -> int:
    from experiments.running.run import run

    return run(given.name, given.scale, given.words, given.dry_run)


def _status(given: argparse.Namespace) -> int:
    """Show the items, then the sweeps."""
    items, folders = _told_apart(given.names)
    if given.json or given.all:
        if items:
            raise UserError(f"--json and --all are for sweeps. Type: python -m experiments status {items[0]}")
        return status(folders, given.all, given.json)
    from experiments.running.overview import overview

    if items or not folders:
        _check_place()
    codes = [overview(RUNS, RECORDS, items)] if items or not folders else []
    if folders or (not items and has_sweep(RUNS)):
        sys.stdout.write("\n" if codes else "")
        codes.append(status(folders, False, False))
    return max(codes)


def _told_apart(names: list[str]) -> tuple[list[str], list[Path]]:
    """Return which names are of items, and the others as folders.

    Raises:
        UserError: a name is neither of an item nor of a folder.
    """
    from experiments.items.catalog import STEMS

    items = [name for name in names if name in STEMS]
    folders = [Path(name) for name in names if name not in STEMS]
    if odd := [folder for folder in folders if not folder.is_dir()]:
        raise UserError(
            f"There is no table, figure or folder {odd[0]}.{nearest(str(odd[0]), STEMS)} Choose from "
            f"{', '.join(STEMS)}, or give the folder of a sweep, such as runs/sweep."
        )
    return items, folders


def _check_place() -> None:
    """Refuse to call everything missing where there are neither runs nor results.

    Raises:
        UserError: it says what to type.
    """
    if not RUNS.is_dir() and not RECORDS.parent.is_dir():
        raise UserError(
            f"There is neither a folder {RECORDS.parent} nor {RUNS} in {Path.cwd()}. Type this in the project's root."
        )


def _sync(given: argparse.Namespace) -> int:
    return sync(given.folders, given.unfinished)


_COMMANDS = {
    "list": _list, "run": _run, "status": _status, "render": run_render, "diagnose": run_diagnose, "strip": _strip,
    "sync": _sync,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
