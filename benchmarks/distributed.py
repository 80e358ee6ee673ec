"""Memory and speed of distillation in one process and in two, and of its checkpoints.

Usage:
    python benchmarks/distributed.py memory       # what +plan=true says of the base model, and what a step takes
    python benchmarks/distributed.py engines      # peak memory of each of two processes, ddp and fsdp, base model
    python benchmarks/distributed.py processes    # one process of two threads against two of one, tiny model
    python benchmarks/distributed.py checkpoint   # writing and reading student, target and optimizer, base model

Everything runs on the CPU in float32, and each measurement in processes of its own. Peak memory is that of the whole
process over what it had when its imports were done. Run it on an idle machine; every line names the hardware.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed import processes
from audiolcm.distributed.hardware import Hardware
from audiolcm.sizing.memory import Config, in_one_process, random_batch, simulate, untrained
from audiolcm.sizing.plan import GB
from audiolcm.training.checkpoint import Checkpoints
from audiolcm.training.loop import clip_gradients
from audiolcm.training.optimization import AdamW
from audiolcm.training.parallel import Parallel
from audiolcm.training.settings import StageSettings

BASE = ["model=base", "text_encoder.tokens_per_half=77", "text_encoder.width=1024", "dataset.duration=10.0"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
REPEATS = 3


def peak() -> float:
    """Return the highest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GB


class Steps:
    """Distillation steps of an untrained model on random latents."""

    def __init__(self, cfg: Config, parallel: Parallel, hardware: Hardware, examples: int) -> None:
        self.settings: StageSettings = build(cfg["trainer"]["student"], "trainer.student")
        with parallel.construction():
            self.objective = untrained(cfg, "student")
        self.engine = parallel.spread(self.objective, hardware)
        self.optimizer = AdamW().make(self.objective.parts()["student"])
        self.batch = random_batch(cfg, "student", examples)

    def take(self, count: int) -> float:
        """Take steps; return the seconds of one."""
        began = time.perf_counter()
        for step in range(count):
            for part, loss, _ in self.objective.losses(self.batch, step, torch.Generator()):
                self.engine.backward(part, loss, last=True)
            clip_gradients(self.optimizer, self.settings, step)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.objective.after_step(step)
        return (time.perf_counter() - began) / count


def worker(engine: str, overrides: list[str], examples: int, steps: int, threads: int) -> None:
    """Take steps in this process, one of those that were started, and write its peak memory and the time."""
    processes.join()
    hardware, cfg, before = Hardware("cpu", "float32", threads), compose(overrides), peak()
    training = Steps(cfg, Parallel(engine), hardware, examples // processes.count())
    training.take(1)
    seconds = training.take(steps)
    planned = in_one_process(
        simulate(cfg, "student", examples // processes.count(), False, False),
        processes.count(),
        engine,
        False,
    )
    sys.stdout.write(
        f"process {processes.rank()} of {processes.count()}, {engine}, {examples} examples in all: "
        f"{1 / seconds:.3f} steps/s, peak {peak() - before:.2f} GB, planned {planned.total / GB:.2f} GB  "
        f"{hardware.describe()}\n"
    )
    sys.stdout.flush()


def start(count: int, engine: str, overrides: list[str], examples: int, steps: int, threads: int) -> None:
    """Start processes that run ``worker``."""
    launcher = TORCHRUN if count == 2 else [sys.executable]
    arguments = [engine, str(examples), str(steps), str(threads), *overrides]
    subprocess.run([*launcher, __file__, "worker", *arguments], check=True)


def checkpoint() -> None:
    """Write and read a checkpoint of the base model's distillation."""
    hardware = Hardware("cpu", "float32")
    training = Steps(compose(BASE), Parallel(), hardware, 1)
    training.take(1)
    optimizers = {"student": training.optimizer}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        checkpoints = Checkpoints(Path(folder), "benchmark")
        for _ in range(REPEATS):
            began = time.perf_counter()
            path = checkpoints.save(1, training.objective.trained, optimizers)
            written = time.perf_counter()
            checkpoints.restore(training.objective.trained, optimizers)
            read = time.perf_counter()
            sys.stdout.write(
                f"checkpoint of {path.stat().st_size / GB:.2f} GB: written in {written - began:.1f} s, read in "
                f"{read - written:.1f} s  {hardware.describe()}\n"
            )


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("memory", "engines", "processes", "checkpoint", "worker"))
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    if options.what == "worker":
        engine, examples, steps, threads, *overrides = options.rest
        worker(engine, overrides, int(examples), int(steps), int(threads))
    elif options.what == "memory":
        start(1, "ddp", BASE, 4, 1, 2)
    elif options.what == "engines":
        for engine in ("ddp", "fsdp"):
            start(2, engine, BASE, 2, 1, 1)
    elif options.what == "processes":
        for _ in range(REPEATS):
            start(1, "ddp", ["trainer=smoke"], 8, 10, 2)
            start(2, "ddp", ["trainer=smoke"], 8, 10, 1)
    else:
        checkpoint()


if __name__ == "__main__":
    main()
