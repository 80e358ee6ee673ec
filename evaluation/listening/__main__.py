"""Listening tests: ``python -m evaluation.listening build ...`` and ``python -m evaluation.listening score ...``."""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from audiolcm.environment.guard import one_sentence
except ModuleNotFoundError:  # as pip refuses a Python that is too old
    sys.exit(f"{sys.executable} has no AudioLCM (which needs Python 3.11 or newer). In the checkout's folder type: "
             "pip install -c constraints.txt -e .")  # fmt: skip

with one_sentence():
    from audiolcm.commands.options import Parser
    from audiolcm.configuration.ranges import check_options
    from audiolcm.environment import terminal
    from audiolcm.environment.guard import settle_user
    from audiolcm.errors import UserError
    from evaluation.listening.questions import QUESTIONS, chosen_questions
    from evaluation.listening.screening import DEFAULT_RULES, RULES, ScreeningLimits, chosen_rules


def main(arguments: Sequence[str] | None = None, prog: str = "python -m evaluation.listening") -> int:
    """Run one command and return its exit code; a user's mistake is one message. Help calls the program ``prog``."""
    about = f"Listening tests: ``{prog} build ...`` and ``{prog} score ...``."
    parser: argparse.ArgumentParser = Parser(prog=prog, description=about)
    commands = parser.add_subparsers(dest="command", required=True)
    for add_options, name, told in (
        (_add_build, "build", "a test page and its key from the sounds of several systems"),
        (_add_score, "score", "MOS-Q and MOS-F from the files of answers"),
    ):
        add_options(commands.add_parser(name, help=told))
    given = parser.parse_args(arguments)
    terminal.prepare()
    settle_user()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with one_sentence():
            check_options(vars(given))
            given.run(given)
            return terminal.exit_code()
    except UserError as error:
        terminal.complain(f"{error}\n")
        return 1


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("systems", nargs="+", metavar="NAME=FOLDER", help="a run of evaluate.py, or a plain folder of sounds")
    add("-o", "--output", type=Path, required=True, help="folder of the new test")
    add(
        "--captions",
        type=Path,
        help="table with name, caption, audio_path (the true sound), for plain folders",
    )
    add("--title", default="Listening test")
    add("--questions", default=",".join(QUESTIONS), help="quality,faithfulness or one of them")
    add("--items", type=int, default=20, help="clips, the same for all systems (default: 20)")
    add("--seed", type=int, default=0, help="draws the clips (default: 0)")
    add("--without-anchors", dest="anchors", action="store_false", help="neither true sounds nor low anchors")
    add("--low-anchors", type=int, default=4, help="for each question (default: 4)")
    add("--checks", type=int, default=2, help="of attention, for each question (default: 2)")
    add("--repeats", type=int, default=2, help="sounds heard twice, for each question (default: 2)")
    add("--max-seconds", type=float, default=10.0, help="of longer sounds the start is heard (default: 10)")
    add("--mturk", metavar="URL", help="also a Mechanical Turk layout; its sounds will lie at this address")
    add("--clips-per-hit", type=int, default=10, help="sounds rated in one HIT (default: 10)")
    parser.set_defaults(run=_build)


def _build(given: argparse.Namespace) -> None:
    from evaluation.listening.build import Amounts, build

    given.questions = chosen_questions(given.questions)
    amounts = Amounts(**{field.name: getattr(given, field.name) for field in dataclasses.fields(Amounts)})
    task = None
    if given.mturk is not None:
        from evaluation.listening.turk import TurkTask

        task = TurkTask(given.mturk, given.clips_per_hit)
    build(given.systems, given.captions, given.output, given.title, amounts, task)


def _add_score(parser: argparse.ArgumentParser) -> None:
    add, limits = parser.add_argument, ScreeningLimits()
    add("key", type=Path, help="key.json of build")
    add("answers", nargs="+", type=Path, help="files that raters sent, batch results of Mechanical Turk")
    add("-o", "--output", type=Path, help="file of results, JSON")
    add("--rules", default=",".join(DEFAULT_RULES), help=f"for screening, of {', '.join(RULES)}; or none")
    add("--failed-checks", type=float, default=limits.failed_checks, help="share allowed (default: 0.25)")
    add("--pace", type=float, default=limits.pace, help="least median time by the sound's own (default: 1)")
    add("--same", type=float, default=limits.same, help="share of one rating allowed (default: 0.9)")
    add("--difference", type=float, default=limits.difference, help="between repeats allowed (default: 30)")
    add("--resamples", type=int, default=2000, help="draws behind the intervals (default: 2000)")
    add("--seed", type=int, default=0, help="of these draws (default: 0)")
    parser.set_defaults(run=_score)


def _score(given: argparse.Namespace) -> None:
    from evaluation.listening.score import score_files

    if given.resamples < 100:
        raise UserError(f"--resamples {given.resamples}: 95% intervals need 100 draws or more.")
    limits = ScreeningLimits(given.failed_checks, given.pace, given.same, given.difference)
    rules = chosen_rules(given.rules)
    result = score_files(given.key, given.answers, rules, limits, given.resamples, given.seed)
    if given.output is not None:
        result.write(given.output)
    terminal.say(result.table())


if __name__ == "__main__":
    sys.exit(main())
