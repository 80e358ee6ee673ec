"""What this CPU is fastest with, by short measurements of a matrix product of a model's size."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor

BFLOAT16_PAYS_FROM = 1.6
"""How many times as fast as in float32 a product must be in bfloat16: rounding activations for it costs time too.

Far from the ratio of the CPU of AMD with AVX512-BF16 that was met, 2.7.
"""
_MORE_THREADS_PAY_FROM = 1.1
_ROUNDS = 3
_TOKENS, _WIDTH, _WIDER = 512, 576, 1152


@cache
def bfloat16_pays() -> bool:
    """Return whether products on the CPU are much faster in bfloat16.

    With AMX they are, without instructions for bfloat16 they are not, on a busy machine too; of what lies between, one
    thread's own time is measured, once in a process.
    """
    if torch.cpu._is_amx_tile_supported() or not torch.cpu._is_avx512_bf16_supported():
        return torch.cpu._is_amx_tile_supported()
    with one_thread(), torch.no_grad(), torch.autocast("cpu", enabled=False):
        in_float32, in_bfloat16 = seconds_of(
            product(torch.float32), product(torch.bfloat16), clock=time.thread_time
        )
    return in_float32 >= BFLOAT16_PAYS_FROM * in_bfloat16


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def fastest_threads() -> int:
    """Return with how many threads a product is fastest: 1, the cores, or all that this process may use.

    More threads are taken only where they save a tenth of the time: on a busy machine they wait for each other.
    Measured once in a process; of several on one machine each has its share of the CPUs.
    """
    before, work = torch.get_num_threads(), product(torch.float32)

    def with_threads(count: int) -> None:
        torch.set_num_threads(count)
        work()

    share = max(1, usable_cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    counts = sorted({1, min(physical_cores(), share), share})
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


def seconds_of(*works: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return the least time that each work takes by a clock, by turns; the first round only warms up."""
    rounds = [[_timed(work, clock) for work in works] for _ in range(1 + _ROUNDS)]
    return [min(times) for times in zip(*rounds[1:], strict=True)]


def _timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def multiplies_8_bits() -> bool:
    """Return whether this CPU and this torch multiply 8 bits exactly: with VNNI, for older CPUs sum in 16 bits."""
    return torch.backends.mkldnn.is_available() and torch.cpu._is_vnni_supported()
