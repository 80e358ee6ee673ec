"""One run in several processes: who is first, what all agree on, and what happens when one of them fails.

``torchrun`` and SLURM start the processes and say so in RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. With
one process everything here does nothing. What the first process says and files that it writes are waited for through a
key-value store, which knows no time limit: it may wait for hours for another job's teacher. Tensors go through
``torch.distributed``: NCCL between GPUs, gloo between CPUs.
"""

import atexit
import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from audiolcm.errors import UserError

log = logging.getLogger(__name__)

T = TypeVar("T")
_FOREVER = timedelta(days=365)
_BEAT = 2.0
_SILENCE = 40.0
"""Seconds without a sign of life after which a process counts as dead."""
_LOST = ("closed by peer", "reset by peer", "Broken pipe", "Connection refused", "NCCL")
_GRACE = 5.0
"""Seconds that a process has to end by itself after another one failed."""


def count() -> int:
    """Return the number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process, 0 for the first."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0


def is_first() -> bool:
    """Return whether this process writes files and speaks for all."""
    return rank() == 0


def local_rank() -> int:
    """Return the number of this process on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if count() > 1 else 0


def join() -> None:
    """Meet the other processes, once in the life of a process; nothing to do where there is one.

    Raises:
        UserError: when the environment does not say how.
    """
    if count() == 1 or dist.is_initialized():
        return
    if missing := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise UserError(
            f"WORLD_SIZE={count()}, but {', '.join(missing)} is not set: start several processes with "
            "`torchrun --nproc-per-node=N train.py ...`, or unset WORLD_SIZE."
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    _Watch.start()
    atexit.register(leave)
    if not is_first():  # one speaks for all, and writes the log
        logging.getLogger().setLevel(logging.ERROR)
        for handler in list(logging.getLogger().handlers):
            if isinstance(handler, logging.FileHandler):
                logging.getLogger().removeHandler(handler)


def leave() -> None:
    """Say that this process is done; the first one stays until all are, since it may keep what they talk through."""
    if watch := _Watch.running:
        watch.stop()
        dist.destroy_process_group()


def failed(reason: str) -> bool:
    """Tell the other processes that this one fails, so that all end; return whether it was the first to say so."""
    return _Watch.running is None or _Watch.running.report(reason)


def lost_another(error: Exception) -> bool:
    """Return whether an error says that another process is gone."""
    return dist.is_initialized() and isinstance(error, RuntimeError) and any(w in str(error) for w in _LOST)


def first_decides(decide: Callable[[], T]) -> T:
    """Return what ``decide`` returns in the first process (JSON), in every process."""
    if not dist.is_initialized():
        return decide()
    watch = _Watch.running
    assert watch is not None  # it starts with the group
    key, store = watch.next_key(), watch.store
    if is_first():
        decided = decide()
        store.set(key, json.dumps(decided))
        return decided
    store.wait([key], _FOREVER)
    return json.loads(store.get(key))


_SAID: dict[str, Any] = {}


def first_said(name: str, mine: T) -> T:
    """Return what the first process that came here said (JSON) under a name, in all; none waits for another."""
    watch = _Watch.running
    if watch is not None and name not in _SAID:
        _SAID[name] = json.loads(watch.store.compare_set(name, "", json.dumps(mine)))
    return _SAID.get(name, mine)


def first_then_others(work: Callable[[], T]) -> T:
    """Do ``work`` in the first process, then in the others, who find what it made on disk."""
    if not dist.is_initialized():
        return work()
    made: list[T] = []
    first_decides(lambda: made.append(work()))
    return made[0] if is_first() else work()


def found_by_all(find: Callable[[], T | None]) -> T | None:
    """Return what ``find`` finds of what the first process wrote; a shared file system may show it a little later."""
    deadline = time.monotonic() + (0.0 if is_first() else 60.0)
    while (found := find()) is None and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def largest(number: int) -> int:
    """Return the largest of the processes' numbers, in all of them."""
    if not dist.is_initialized():
        return number
    found = torch.tensor(number)
    dist.all_reduce(found, dist.ReduceOp.MAX)
    return int(found)


def first_told(message: str | None, order: int) -> str | None:
    """Return the message of the process whose ``order`` is lowest, in all of them; None where none has one."""
    if not dist.is_initialized() or not largest(int(message is not None)):
        return message
    told: list[tuple[int, int, str | None]] = [(0, 0, None)] * count()
    dist.all_gather_object(told, (order, rank(), message))
    return min(told)[2]


def mean(tensor: Tensor) -> Tensor:
    """Return the mean of the processes' tensors, in all of them; no gradient flows through it."""
    if not dist.is_initialized():
        return tensor
    summed = tensor.detach().clone()
    dist.all_reduce(summed)
    return summed / count()


class _Watch:
    """A thread that shows signs of life and ends this process when another one failed or fell silent."""

    running: "_Watch | None" = None

    def __init__(self) -> None:
        # A client of its own for each thread: one that waits would block the other.
        self.store = dist.PrefixStore("run", dist.distributed_c10d._get_default_store())
        self._beats = dist.PrefixStore("watch", dist.distributed_c10d._get_default_store().clone())
        self._number, self._stopped = 0, threading.Event()
        self._thread = threading.Thread(target=self._keep, name="watch of the processes", daemon=True)

    @classmethod
    def start(cls) -> None:
        """Begin to watch."""
        cls.running = cls()
        cls.running._thread.start()

    def stop(self) -> None:
        """Stop watching and being watched."""
        self._stopped.set()
        self._thread.join()
        with contextlib.suppress(RuntimeError):  # nobody is left to be told
            self._beats.set(f"done {rank()}", "1")
            if is_first() and not self.store.check(["failed"]):
                self._beats.wait([f"done {other}" for other in range(count())], timedelta(seconds=_SILENCE))
        type(self).running = None

    def next_key(self) -> str:
        """Return the next of the names that all processes use in the same order."""
        self._number += 1
        return str(self._number)

    def report(self, reason: str) -> bool:
        """Keep the reason of a failure; return whether it is the first one."""
        mine = json.dumps([rank(), reason])
        try:
            return self.store.compare_set("failed", "", mine).decode() == mine
        except RuntimeError:  # the process that keeps the store is gone, and can say nothing any more
            return True

    def _keep(self) -> None:
        seen: dict[int, tuple[bytes, float]] = {}
        beat = 0
        while not self._stopped.wait(_BEAT):
            beat += 1
            try:
                self._beats.set(f"beat {rank()}", str(beat))
                reason = self._failure() or self._silent(seen)
            except RuntimeError as error:
                reason = f"process 0 is gone ({str(error).splitlines()[0]})"
            if reason and not self._stopped.wait(_GRACE):
                if is_first() or not self._failure():  # the failing one has said it itself
                    log.error("This process, %d of %d, ends: %s", rank(), count(), reason)
                logging.shutdown()
                os._exit(1)

    def _failure(self) -> str:
        store = dist.PrefixStore("run", self._beats.underlying_store)
        if not store.check(["failed"]):
            return ""
        who, reason = json.loads(store.get("failed"))
        return "" if who == rank() else f"process {who} failed: {reason}"

    def _silent(self, seen: dict[int, tuple[bytes, float]]) -> str:
        for other in range(count()):
            if self._beats.check([f"done {other}"]) or not self._beats.check([f"beat {other}"]):
                continue
            beat, now = self._beats.get(f"beat {other}"), time.monotonic()
            known, since = seen.get(other, (b"", now))
            seen[other] = (beat, now if beat != known else since)
            if now - seen[other][1] > _SILENCE:
                return f"process {other} shows no sign of life since {_SILENCE:g} s"
        return ""
