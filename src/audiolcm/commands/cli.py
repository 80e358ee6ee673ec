"""The ``audiolcm`` command: the front door of everything that is typed."""

import argparse
import importlib
import logging
import os
import sys
from pathlib import Path

import audiolcm
from audiolcm.commands import convert, doctor, generate, prepare, structure
from audiolcm.commands.options import Parser
from audiolcm.configuration.ranges import check_options
from audiolcm.environment import terminal
from audiolcm.environment.guard import explained, settle_user
from audiolcm.environment.interrupts import Interrupted, raise_on_signal
from audiolcm.environment.memory import keep_memory
from audiolcm.errors import UserError
from audiolcm.storage.files import name_too_long

log = logging.getLogger("audiolcm")

DOORS = {
    "train": ("train.py", "train a student, and whatever it lacks; as python train.py"),
    "evaluate": ("evaluate.py", "score a system under a protocol; as python evaluate.py"),
    "experiments": ("experiments.__main__", "the paper's tables and figures: run, status, render, ..."),
    "listening": ("evaluation.listening.__main__", "listening tests: build one, score its answers"),
    "generate-classes": ("evaluation.generate", "clips of each class of a labelled data set"),
}
"""Commands with a command line of their own, which packages above this one have: a script or a module, and its help."""
EXAMPLES = """\
examples:
  audiolcm generate "a sheep bleats" -o sheep.wav
  audiolcm train trainer=smoke
  audiolcm evaluate dataset=clotho dataset.root=FOLDER
  audiolcm experiments status
  audiolcm listening build a=runs/eval_a b=runs/eval_b -o test
  audiolcm prepare dataset=esc10 dataset.root=FOLDER
  audiolcm structure --from-file captions.txt -o structured.tsv
  audiolcm convert published:audiolcm -o artifacts
  audiolcm doctor
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return the exit code; a user's mistake is one message and exit code 1."""
    if arguments is None:  # a process of its own
        keep_memory()
    terminal.prepare()
    settle_user()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words and words[0] in DOORS:
            return _through(words[0], words[1:])
        options = _parser().parse_args(words)
        with explained(), raise_on_signal():
            check_options(vars(options))
            return options.run(options) or terminal.exit_code()
    except (UserError, OSError) as error:
        told = error if isinstance(error, UserError) else name_too_long(error)
        if told is None:
            raise
        log.error("%s", told, exc_info="HYDRA_FULL_ERROR" in os.environ)
        return 1
    except Interrupted as stop:
        log.error("Stopped.")
        return 128 + stop.number


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="audiolcm",
        description="Few-step text-to-audio generation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"audiolcm {audiolcm.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (generate, prepare, structure, convert, doctor):
        command.add_parser(commands)
    for name, (_, told) in DOORS.items():
        commands.add_parser(name, help=told, add_help=False)
    return parser


def _through(name: str, words: list[str]) -> int:
    """Run a script or a module's command line with ``words``, and return its exit code.

    A script takes the place of this process, so that it is what a sweep or a cluster calls again.
    """
    place, _ = DOORS[name]
    if place.endswith(".py"):
        from audiolcm.configuration.words import CONF  # imports Hydra, which the others may do without

        script = str(CONF.parent / place)
        if not Path(script).is_file():
            raise UserError(
                f"{script} is missing: install the project from its checkout, `pip install -e .`."
            )
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, script, *words])
    return importlib.import_module(place).main(words, prog=f"audiolcm {name}")


if __name__ == "__main__":
    sys.exit(main())
