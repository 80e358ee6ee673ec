"""The paper's tables and figures: ``python -m experiments list``, ``run``, ``status``, ``render``, ... (``--help``)."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

try:
    from audiolcm.environment.guard import one_sentence
except ModuleNotFoundError:  # as pip refuses a Python that is too old
    sys.exit(f"{sys.executable} has no AudioLCM (which needs Python 3.11 or newer). In the checkout's folder type: "
             "pip install -c constraints.txt -e .")  # fmt: skip

with one_sentence():
    from argparse import ArgumentParser

    from audiolcm.commands.options import Parser
    from audiolcm.environment import terminal
    from audiolcm.environment.guard import settle_user
    from audiolcm.environment.interrupts import raise_on_signal
    from audiolcm.errors import UserError
    from audiolcm.sweeps.row_sweeper import SCALES

COMMANDS = {
    "list": ("running.run.list_items", "the paper's tables and figures"),
    "run": ("running.run.run", "train and evaluate all rows of one of them"),
    "status": ("running.overview.status", "how the paper's items stand, and the jobs of a sweep"),
    "sync": ("running.sync.sync", "upload the offline W&B runs"),
    "render": ("rendering.render.run_render", "write every table and figure, measured beside printed"),
    "diagnose": ("diagnosing.diagnose.run", "students against the guided flow of their teachers"),
    "strip": ("rendering.strip.run_strip", "a picture of spectrograms, and short sounds, of a few captions"),
}
"""The function of each, which makes the exit code of the options and is imported when it is typed; what it does."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m experiments") -> int:
    """Run one command and return its exit code; a user's mistake is one message.

    Args:
        arguments: what was typed behind ``prog``; None: what this process was started with.
        prog: how the command was called, for help and messages.
    """
    parser = Parser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    added = {name: commands.add_parser(name, help=words) for name, (_, words) in COMMANDS.items()}
    _add_running(added["run"], added["status"], added["sync"])
    _add_render(added["render"])
    _add_diagnose(added["diagnose"])
    _add_strip(added["strip"])
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    terminal.prepare()
    settle_user()
    given.words = [*getattr(given, "words", ()), *rest]  # argparse takes no words behind an option
    module, _, function = COMMANDS[given.command][0].rpartition(".")
    try:
        with one_sentence(), raise_on_signal():  # what a command started ends with it
            command = getattr(import_module(f"experiments.{module}"), function)
            return command(given) or terminal.exit_code()
    except UserError as error:
        terminal.complain(f"{error}\n")
        return 1


def _add_running(run: ArgumentParser, status: ArgumentParser, sync: ArgumentParser) -> None:
    words = "overrides, such as dataset.root=FOLDER; train:X=Y for train.py only"
    run.add_argument("name", help="such as table6_backbone")
    run.add_argument("words", nargs="*", help=words)
    run.add_argument("--scale", choices=SCALES, default=SCALES[0])
    run.add_argument("--dry-run", action="store_true", help="print each job and what sets it apart")
    words = "items, or folders of sweeps; none: all items and the newest sweep below runs"
    status.add_argument("names", nargs="*", help=words)
    status.add_argument("--all", action="store_true", help="every sweep below runs")
    status.add_argument("--json", action="store_true", help="for machines")
    sync.add_argument("folders", nargs="*", type=Path, help="where to look; none: artifacts and runs")
    sync.add_argument("--unfinished", action="store_true", help="also those still being written")


def _add_render(render: ArgumentParser) -> None:
    add = render.add_argument
    add("names", nargs="*", help="items such as table6_backbone; none: all")
    add("--scale", choices=SCALES, help="none: those that have records")
    words = "folder of results (experiments/results; else README and docs stay as they are)"
    add("--results", type=Path, help=words)
    add("--runs", type=Path, help="folder of runs, whose records are taken in (runs, if it is there)")
    modes = ("offline", "online")
    add("--wandb", nargs="?", const=modes[0], choices=modes, help="also as W&B tables")


def _add_diagnose(diagnose: ArgumentParser) -> None:
    add = diagnose.add_argument
    words = "a student's folder; FOLDER@STEP for a snapshot"
    add("checkpoints", nargs="+", metavar="CHECKPOINT", help=words)
    add("--snapshots", action="store_true", help="also all snapshots that the trainings kept")
    add("--teacher", type=Path, help="the teacher's folder (else as the student's card says)")
    add("--root", type=Path, help="the corpus's folder (else where the student was trained)")
    add("--cache", type=Path, help="of prepared data (else where the student was trained)")
    add("--split", choices=("train", "validation", "test"), help="(test, else validation)")
    add("--clips", type=int, help="(8, or as many as there are)")
    add("--timesteps", type=int, nargs="+", help="(7 of those that it was trained at)")
    add("--omega", type=float, nargs="+", help="(0, the trained range and one beyond)")
    add("--num-steps", type=int, default=20, help="most steps of the flow (20)")
    add("--own-steps", type=int, default=1, help="of the student's own sounds (1)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--plugins", action="append", help="a package besides ours that the student may name")
    words = "folder, a diagnosis in it is replaced (one below runs/diagnose)"
    add("-o", "--output", type=Path, help=words)


def _add_strip(strip: ArgumentParser) -> None:
    add = strip.add_argument
    add("checkpoint", type=Path, help="folder of a finished student or teacher")
    add("captions", nargs="+", help="what is to be heard, each in quotes")
    add("--out", type=Path, default=Path("docs/images"), help="folder (docs/images)")
    add("--duration", type=float, default=2.56, help="seconds of each sound (2.56)")
    add("--seed", type=int, default=0)
    add("--steps", type=int, help="sampling steps; none: the model's own")
    add("--omega", type=float, help="guidance; none: the model's own")
    words = (
        "captions of test clips: beside the true sound the teacher's, and the student's at 1, 2 and 4 steps"
    )
    add("--beside", action="store_true", help=words)


if __name__ == "__main__":
    sys.exit(main())
