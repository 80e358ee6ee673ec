"""One case in a process of its own: it waits, does rounds of work when told, and tells what they took.

``python -m benchmarks.speed.worker NAME [OVERRIDE ...]``; a line of the standard input is the least seconds of a round,
its end ends the work. Each answer is a line of JSON: the facts once the work is warm, then one for each round, at last
the peak of memory.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import Any, TextIO

import torch

from audiolcm.distributed.hardware import synchronize
from audiolcm.environment.guard import one_sentence
from audiolcm.errors import UserError
from audiolcm.storage.hashing import code_version
from benchmarks.speed.case import KINDS, Case, read_case
from benchmarks.speed.floor import Product, counting
from benchmarks.speed.work import Stages, Work


class Finished(Exception):
    """No more rounds are asked for."""


def make_work(name: str, words: list[str]) -> Work:
    """Return the work of a case."""
    case = read_case(name)
    return maker(case.kind)(case, words)


def maker(kind: str) -> Callable[[Case, list[str]], Work]:
    """Return the function that makes the works of a kind; what it needs is imported here."""
    module, _, function = KINDS[kind].rpartition(".")
    return getattr(import_module(f"benchmarks.speed.{module}"), function)


class Metronome:
    """What the loop of a work calls after each unit: it times them, answers after each round and waits for the next.

    Args:
        work: what is timed.
        imported: bytes of the process before the work was made.
        asked: where the seconds of rounds are read from.
        answers: where answers are written to.
    """

    def __init__(self, work: Work, imported: int, asked: TextIO, answers: TextIO) -> None:
        self.work, self.imported, self.asked, self.answers = work, imported, asked, answers
        self.device = work.hardware.torch_device()
        self.product = Product(work.hardware)
        self.to_warm_up = work.warm_up
        self.flops = work.flops
        self.counting = ExitStack()

    def run(self) -> None:
        """Do the work until no more rounds are asked for."""
        if self.flops is None:
            self.counter = self.counting.enter_context(counting())
        try:
            if not self.to_warm_up:
                self._begin()
            self.work.loop(self.tick)
        except Finished:
            imported = 0 if self.work.flops == 0.0 else self.imported  # of commands all counts
            self._answer({"peak_bytes": self._peak(), "imported_bytes": imported})

    def tick(self, stages: Stages) -> None:
        """Take note of the end of a unit."""
        synchronize(self.device)
        now = time.perf_counter()
        if self.to_warm_up:
            self._warmed_up()
            return
        self.seconds.append(now - self.began)
        self.stages.append(stages)
        if now - self.round_began >= self.least:
            self._answer({"seconds": self.seconds, "stages": self.stages, "rate": self.rate})
            self._wait()
        self.began = time.perf_counter()

    def _warmed_up(self) -> None:
        if self.flops is None:
            self.counting.close()
            self.flops = self.counter.get_total_flops()
        self.to_warm_up -= 1
        if not self.to_warm_up:
            self._begin()

    def _begin(self) -> None:
        self._answer(facts(self.work) | {"flops": self.flops})
        self._wait()

    def _wait(self) -> None:
        line = self.asked.readline()
        if not line.strip():
            raise Finished
        self.least, self.rate = float(line), self.product.rate()
        self.seconds: list[float] = []
        self.stages: list[Mapping[str, float]] = []
        self.began = self.round_began = time.perf_counter()

    def _answer(self, told: dict[str, Any]) -> None:
        self.answers.write(json.dumps(told) + "\n")
        self.answers.flush()

    def _peak(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        who = resource.RUSAGE_CHILDREN if self.work.flops == 0.0 else resource.RUSAGE_SELF
        return resource.getrusage(who).ru_maxrss * 1024


def resident() -> int:
    """Return the most memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def facts(work: Work) -> dict[str, Any]:
    """Return what is known of the work before its rounds."""
    return {
        "hardware": work.hardware.describe().split(",")[0],
        "device": work.hardware.torch_device().type,
        "precision": work.hardware.computes_in(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "commit": code_version(),
        "sound": work.sound,
    }


def main() -> int:
    """Do the work that the command line names."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the work prints is no answer
    try:
        with one_sentence():
            with suppress(ModuleNotFoundError):  # an earlier version had none
                from audiolcm.environment.memory import keep_memory

                keep_memory()  # as commands do; for the released code too, so that networks are compared
            maker(read_case(sys.argv[1]).kind)
            imported = resident()
            Metronome(make_work(sys.argv[1], sys.argv[2:]), imported, sys.stdin, answers).run()
    except UserError as error:
        answers.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
