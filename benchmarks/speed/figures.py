"""Single figures from the results of one machine, each with the commit that it is of."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.speed.results import Result
from benchmarks.speed.summary import Measured, ratio


class Found(NamedTuple):
    """A measured number."""

    value: float
    commit: str


class Machine:
    """The newest results of one machine, by the names of their files.

    Args:
        results: one or more, all of it.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = {result.file_stem: result for result in results}
        last = results[-1]
        self.name, self.device = last.machine_name, last.machine["device"]
        self.ability = next(iter(last.machine["abilities"]), "")

    def measured(self, contest: str, *names: str) -> list[Measured]:
        """Return what a contest measured of cases, those that are there; of all cases where none is named."""
        result = self.results.get(contest)
        if result is None:
            return []
        return [one for one in result.measured if one.name in names or not names]

    def at_another_commit(self, case: str, commit: str) -> list[Measured]:
        """Return a case as it is here and at another commit, named by its first digits; nothing if not measured."""
        beginning = f"{case}-against-{commit}"
        return next(
            (list(found.measured) for name, found in self.results.items() if name.startswith(beginning)), []
        )


Figure = Callable[[Machine], Found | None]
"""Finds a number; None: it was not measured there."""


def times_as_fast(contest: str, *pairs: tuple[str, str]) -> Figure:
    """Return how many times as long the second case of a pair takes as the first: the least of all pairs."""

    def figure(machine: Machine) -> Found | None:
        by_name = {one.name: one for one in machine.measured(contest)}
        there = [(by_name[a], by_name[b]) for a, b in pairs if a in by_name and b in by_name]
        return min((Found(ratio(b, a).median, a.commit) for a, b in there), default=None)

    return figure


def times_the_floor(contest: str, *names: str) -> Figure:
    """Return the distance to the floor, of several cases the largest; all of them must be there."""

    def figure(machine: Machine) -> Found | None:
        found = [Found(one.distance, one.commit) for one in machine.measured(contest, *names) if one.distance]
        return max(found) if len(found) == len(names) else None

    return figure


def fastest_times_the_floor(contest: str, *names: str) -> Figure:
    """Return the distance to the floor of that case which is done first."""

    def figure(machine: Machine) -> Found | None:
        fastest = min(machine.measured(contest, *names), key=lambda one: one.median, default=None)
        return Found(fastest.distance, fastest.commit) if fastest and fastest.distance else None

    return figure


def times_an_earlier_commit(case: str, commit: str) -> Figure:
    """Return how many times as long a case takes at another commit."""

    def figure(machine: Machine) -> Found | None:
        if not (pair := machine.at_another_commit(case, commit)):
            return None
        here, other = pair
        return Found(ratio(other, here).median, here.commit)

    return figure


def of_case(contest: str, name: str, number: Callable[[Measured], float | None]) -> Figure:
    """Return a number of one case."""

    def figure(machine: Machine) -> Found | None:
        for one in machine.measured(contest, name):
            if (value := number(one)) is not None:
                return Found(value, one.commit)
        return None

    return figure


def share_of_memory(contest: str, name: str, of: str) -> Figure:
    """Return the memory of one case over that of another."""

    def figure(machine: Machine) -> Found | None:
        by_name = {one.name: one for one in machine.measured(contest)}
        if not {name, of} <= set(by_name):
            return None
        return Found(by_name[name].memory / by_name[of].memory, by_name[name].commit)

    return figure


def most_sound_a_second(contest: str) -> Figure:
    """Return the seconds of sound made in a second, which are also the hours made in an hour: the most of all cases."""

    def figure(machine: Machine) -> Found | None:
        found = (Found(one.sound / one.median, one.commit) for one in machine.measured(contest) if one.sound)
        return max(found, default=None)

    return figure
