"""Rounds of several workers by turns, so that what else the machine does meets all of them alike."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from audiolcm.errors import UserError
from benchmarks.speed.case import Case
from benchmarks.speed.summary import Measured, summarized
from benchmarks.speed.versions import ROOT, Version

NUM_LAST_WORDS = 12
"""Lines of a worker that failed which are shown."""


@dataclass(frozen=True)
class Pace:
    """How long is measured: so many rounds, each of so many seconds and one unit of work at least."""

    rounds: int = 5
    seconds: float = 2.0

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.seconds < 0:
            raise UserError(
                f"--rounds {self.rounds} --seconds {self.seconds}: at least 1 round, of 0 s or more."
            )


class Contestant:
    """A worker process, which waits between its rounds."""

    def __init__(self, case: Case, version: Version) -> None:
        self.case, self.version = case, version
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by __exit__)
        python_path = os.pathsep.join([str(version.root / "src"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker", case.name, *version.words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": python_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )
        self.rounds: list[dict[str, Any]] = []

    def __enter__(self) -> "Contestant":
        self.facts = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.said.close()

    def round(self, seconds: float) -> None:
        """Let it work for so long."""
        self._ask(f"{seconds}\n")
        self.rounds.append(self._answer())

    def finish(self) -> Measured:
        """End it, and return all that it told."""
        self._ask("\n")
        return summarized(self.case, self.version, self.facts | self._answer(), self.rounds)

    def _ask(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        told = json.loads(line) if line else {"error": f"its process ended.\n{self._last_words()}"}
        if "error" in told:
            raise UserError(f"{self.case.name} ({self.version.name}) was not measured: {told['error']}")
        return told

    def _last_words(self) -> str:
        self.process.wait()
        self.said.seek(0)
        return "\n".join(self.said.read().splitlines()[-NUM_LAST_WORDS:])


def by_turns(contestants: Sequence[tuple[Case, Version]], pace: Pace) -> list[Measured]:
    """Measure cases by turns; each lives in a process of its own as long as all of them.

    Raises:
        UserError: one of them cannot be measured.
    """
    with ExitStack() as running:
        workers = [running.enter_context(Contestant(case, version)) for case, version in contestants]
        for _ in range(pace.rounds):
            for worker in workers:
                worker.round(pace.seconds)
        return [worker.finish() for worker in workers]


def one_by_one(contestants: Sequence[tuple[Case, Version]], pace: Pace) -> list[Measured]:
    """Measure cases one after the other: each is alone in memory."""
    return [by_turns([contestant], pace)[0] for contestant in contestants]
