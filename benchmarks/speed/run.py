"""``python -m benchmarks [NAME ...]``: measure, write and tell."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from audiolcm.environment.terminal import say
from benchmarks.speed.catalog import Contest, chosen
from benchmarks.speed.contest import Pace, by_turns, one_by_one
from benchmarks.speed.growth import draw, slope_in_words
from benchmarks.speed.results import Result, write
from benchmarks.speed.tables import measured_table, summary_page
from benchmarks.speed.versions import Version, other_version


def run(names: Sequence[str], words: Sequence[str], given: Namespace) -> int:
    """Measure what the command line names, with overrides of the configuration.

    Raises:
        UserError: there is nothing of a name, or something cannot be measured.
    """
    pace, contests = Pace(given.rounds, given.seconds), chosen(names)
    if given.against:
        compare(contests, given.against, words, pace, given.results)
        return 0
    for contest in contests:
        measure(contest, words, pace, given.results)
    return 0


def measure(contest: Contest, words: Sequence[str], pace: Pace, results: Path) -> Result:
    """Measure a contest and write its result."""
    say(f"{contest.title}: {', '.join(contest.cases)}\n")
    version = Version(words=tuple(words))
    contestants = [(case, version) for case in contest.read()]
    measured = (one_by_one if contest.axis else by_turns)(contestants, pace)
    result = Result(contest.name, contest.title, contest.axis, measured)
    _keep(result, results)
    return result


def compare(
    contests: Sequence[Contest], against: Sequence[str], words: Sequence[str], pace: Pace, results: Path
) -> list[Result]:
    """Measure each case by turns in this version and in the other one."""
    made = []
    with other_version(against, words) as other:
        here = replace(Version(), words=tuple(words))
        for case in dict.fromkeys(case for contest in contests for case in contest.read()):
            say(f"{case.name}: here and {other.name}, by turns\n")
            measured = by_turns([(case, here), (case, other)], pace)
            result = Result(case.name, case.name, "", measured, against=other.name)
            _keep(result, results)
            made.append(result)
    return made


def _keep(result: Result, results: Path) -> None:
    path = write(result, results)
    if result.axis:
        draw(result, results)
    say(measured_table(result) + "\n")
    if result.axis:
        say(slope_in_words(result) + "\n")
    summary_page(path.parent)
    say(f"Written: {path}\n")
