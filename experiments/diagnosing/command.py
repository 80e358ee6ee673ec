"""The command line of ``diagnose``; what it needs is imported when it is called, so that other commands stay quick."""

import argparse
from pathlib import Path

from audiolcm.configuration.ranges import check_options, in_range


def add_diagnose(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``diagnose`` to the commands."""
    shown = commands.add_parser("diagnose", help="students against the guided flow of their teachers")
    shown.add_argument(
        "checkpoints", nargs="+", metavar="CHECKPOINT", help="a student's folder; FOLDER@STEP for a snapshot"
    )
    shown.add_argument("--snapshots", action="store_true", help="also all snapshots that the trainings kept")
    shown.add_argument("--teacher", type=Path, help="the teacher's folder (else as the student's card says)")
    shown.add_argument("--root", type=Path, help="the corpus's folder (else where the student was trained)")
    shown.add_argument("--cache", type=Path, help="of prepared data (else where the student was trained)")
    shown.add_argument("--split", choices=("train", "validation", "test"), help="(test, else validation)")
    shown.add_argument("--clips", type=int, help="(8, or as many as there are)")
    shown.add_argument("--timesteps", type=int, nargs="+", help="(7 of those that it was trained at)")
    shown.add_argument("--omega", type=float, nargs="+", help="(0, the trained range and one beyond)")
    shown.add_argument("--num-steps", type=int, default=20, help="most steps of the flow (20)")
    shown.add_argument("--own-steps", type=int, default=1, help="of the student's own sounds (1)")
    shown.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    shown.add_argument("--plugins", action="append", help="a package besides ours that the student may name")
    shown.add_argument(
        "-o", "--output", type=Path, help="folder, a diagnosis in it is replaced (one below runs/diagnose)"
    )


def run_diagnose(given: argparse.Namespace) -> int:
    """Diagnose what the command line names.

    Raises:
        UserError: an option is out of its range, or what ``diagnose.run`` raises.
    """
    check_options(vars(given))
    for option, number in (("--clips", given.clips), ("--own-steps", given.own_steps)):
        if number is not None:
            in_range(option, number, f"{option} {number}", (1, 1e5))
    given.timesteps = given.timesteps and sorted({*given.timesteps}, reverse=True)
    given.omega = given.omega and sorted({*given.omega})
    from experiments.diagnosing.diagnose import run

    return run(given)
