"""The subcommand ``audiolcm doctor``."""

import argparse
import json
import logging

from audiolcm.environment.terminal import say

log = logging.getLogger("audiolcm")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand ``doctor``."""
    doctor = commands.add_parser(
        "doctor", help="check Python, packages, hardware, folders; say what is wrong"
    )
    doctor.add_argument("overrides", nargs="*", help="of the run that is meant, as for train.py: profile=paper "
                        "dataset=clotho dataset.root=FOLDER ... (default: none)")  # fmt: skip
    doctor.add_argument("--json", action="store_true", help="for machines")
    doctor.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine, print what was found, and return 1 where something is wrong."""
    from audiolcm.doctor.examination import as_text, examine

    log.info("Every package is imported once: some ten seconds, more on a cold disk.")
    report = examine(options.overrides)
    say(json.dumps(report, indent=2) + "\n" if options.json else as_text(report))
    return 1 if report["problems"] else 0
