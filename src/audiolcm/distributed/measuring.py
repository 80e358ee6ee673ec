"""What this CPU is fastest with, by short measurements of a matrix product of a model's size."""

import contextlib
import os
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

BFLOAT16_PAYS_FROM = 1.6
"""How many times as fast as in float32 a product must be in bfloat16: rounding activations for it costs time too.

Far from the ratios of CPUs that were met, so that each decides in the same way every time: 2.7 on an AMD CPU with
AVX512-BF16, 5 and more with AMX, below 1 without such instructions.
"""
_MORE_THREADS_PAY_FROM = 1.1
_ROUNDS = 3
_TOKENS, _WIDTH, _WIDER = 512, 576, 1152


@cache
def bfloat16_pays() -> bool:
    """Return whether products on the CPU are so much faster in bfloat16; measured once in a process."""
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        in_float32, in_bfloat16 = seconds_of(product(torch.float32), product(torch.bfloat16))
    return in_float32 >= BFLOAT16_PAYS_FROM * in_bfloat16


def fastest_threads() -> int:
    """Return with how many threads a product is fastest: 1, the cores, or all that this process may use.

    More threads are taken only where they save a tenth of the time: on a busy machine they wait for each other.
    """
    before, work = torch.get_num_threads(), product(torch.float32)

    def with_threads(count: int) -> None:
        torch.set_num_threads(count)
        work()

    counts = sorted({1, min(physical_cores(), usable_cpus()), usable_cpus()})
    try:
        times = seconds_of(*(partial(with_threads, count) for count in counts))
    finally:
        torch.set_num_threads(before)
    best = 0
    for place in range(1, len(counts)):
        if times[best] >= _MORE_THREADS_PAY_FROM * times[place]:
            best = place
    return counts[best]


def usable_cpus() -> int:
    """Return how many CPUs this process may use: those of its affinity, or fewer by the quota of its container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # "max 100000" where there is no quota
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        allowed = min(allowed, max(1, int(quota) // int(period)))
    return allowed


def physical_cores() -> int:
    """Return the number of cores, of which each may be several CPUs; of all CPUs where the system does not say."""
    topology = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return len({siblings.read_text() for siblings in topology}) or os.cpu_count() or 1


def product(dtype: torch.dtype) -> Callable[[], Tensor]:
    """Return what computes a product of tokens and a weight."""
    with torch.device("cpu"):
        tokens, weight = torch.ones(_TOKENS, _WIDTH, dtype=dtype), torch.ones(_WIDER, _WIDTH, dtype=dtype)
    return lambda: torch.nn.functional.linear(tokens, weight)


def seconds_of(*works: Callable[[], object]) -> list[float]:
    """Return the least time that each work takes, by turns; the first round only warms up."""
    rounds = [[_timed(work) for work in works] for _ in range(1 + _ROUNDS)]
    return [min(times) for times in zip(*rounds[1:], strict=True)]


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
