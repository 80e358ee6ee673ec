"""Leases: a lock on a folder that many machines may share, and that no dead process keeps.

The holder's file ``.lease`` is created exclusively, which every shared file system does atomically, and is rewritten
every few seconds with a count. On one machine a waiting process asks the system whether the holder lives. From
another it watches the count: standing still for ``PATIENCE`` seconds of the watcher's own clock, the holder is dead,
and its lease is taken over. No two clocks are ever compared.

A holder that was only asleep finds its lease gone, and stops itself by SIGTERM.

The leases of ``filelock`` 4.2 are no substitute: they take a folder from a holder on the same machine that lives but
stands still, wait out the patience for a dead one that nobody has reaped, and wait without an end for one that was
killed before its first word.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage.files import explained
from audiolcm.storage.plain_data import parse_json

log = logging.getLogger(__name__)

LEASE = ".lease"
BEAT = 5.0
"""Seconds between two signs of life."""
PATIENCE = 60.0
"""Seconds without a sign of life after which a holder on another machine counts as dead."""
_POLL = (0.2, 2.0)
_COUNT_WIDTH = 12


@contextmanager
def exclusive(folder: str | Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold ``folder`` (made when absent), so that only one process on any machine works in it; others wait.

    Args:
        folder: what is held.
        patience: see ``PATIENCE``; all processes should agree on it.

    Raises:
        UserError: when the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lease = _wait_for(folder / LEASE, patience)
    except OSError as error:
        raise explained(error, folder) or error from error
    try:
        yield
    finally:
        lease.release()


class _Lease:
    """A lease that this process holds: its open file, and the thread that shows signs of life in it."""

    def __init__(self, path: Path, file: int) -> None:
        self.path, self._file = path, file
        self._identity = json.dumps(_this_process() | {"token": uuid.uuid4().hex}).encode()
        self._released = threading.Event()
        try:
            self._write(0)
        except OSError:  # a full disk: leave nothing that others would wait for
            path.unlink()
            os.close(file)
            raise
        self._thread = threading.Thread(target=self._keep, name=f"lease of {path.parent}", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the folder free."""
        self._released.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            if self._is_ours():
                self.path.unlink()
        os.close(self._file)

    def _keep(self) -> None:
        count = 0
        while not self._released.wait(BEAT):
            count += 1
            try:
                lost = self._is_lost()
                self._write(count)
            except OSError as error:  # a file server that is away for a moment
                log.warning("No sign of life could be written to %s: %s", self.path, error)
                continue
            if lost:
                log.error(
                    "This process was asleep for so long that another one took over %s: it stops here. The same "
                    "command waits for the other one, or goes on from its checkpoint.",
                    self.path.parent,
                )
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _write(self, count: int) -> None:
        # Through the open file: were the lease taken over, this would change the old file and not the new one.
        os.pwrite(self._file, str(count).zfill(_COUNT_WIDTH).encode() + b" " + self._identity, 0)
        os.fsync(self._file)

    def _is_lost(self) -> bool:
        """Return whether another process holds the folder now; it may have moved our file aside for a moment."""
        return not self._is_ours() and not self._released.wait(1.0) and not self._is_ours()

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._file))
        except FileNotFoundError:
            return False


def _wait_for(path: Path, patience: float) -> _Lease:
    seen, since, pause, told = b"", time.monotonic(), _POLL[0], False
    while True:
        with contextlib.suppress(FileExistsError):
            return _Lease(path, _create(path))
        try:
            if not stat.S_ISREG(path.lstat().st_mode):  # it would be waited for without an end
                raise UserError(f"{path} is no lease, but a folder, a pipe or a link: remove it.")
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # released in between
        if content != seen:
            seen, since = content, time.monotonic()
        alive = _lives_here(content)
        if alive is False or (alive is None and time.monotonic() - since > patience):
            _remove_dead(path, content)
            continue
        if not told:
            log.info("%s is at work in %s: waiting for it.", _described(content), path.parent)
            told = True
        time.sleep(pause)
        pause = min(pause * 1.5, _POLL[1])


def _create(path: Path) -> int:
    """Create the lease's file and return it open; its folder may have been removed by the holder before."""
    try:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)


def _remove_dead(path: Path, content: bytes) -> None:
    """Remove the lease of a dead holder, unless another process has already done so and holds it now."""
    aside = path.with_name(f"{LEASE}.{uuid.uuid4().hex}")
    try:
        path.rename(aside)  # of several that try, one succeeds
    except FileNotFoundError:
        return
    if aside.read_bytes() == content:
        log.warning("%s died in %s: taking over.", _described(content), path.parent)
    else:
        with contextlib.suppress(OSError):  # a new holder's, moved by mistake: back to its place
            os.link(aside, path)
    aside.unlink()


def _holder(content: bytes) -> dict[str, Any]:
    """Return who holds a lease; nothing where its holder was killed before it said so, or it is damaged."""
    try:
        holder = parse_json(content[_COUNT_WIDTH:])
    except ValueError:
        return {}
    kinds = {"machine": str, "pid": int, "birth": str, "host": str}
    is_one = isinstance(holder, dict) and all(type(holder.get(name)) is kind for name, kind in kinds.items())
    return holder if is_one and 0 < holder["pid"] < 1 << 31 else {}


def _described(content: bytes) -> str:
    holder = _holder(content)
    if not holder:
        return "An unknown process"
    job = f", job {holder['job']}" if holder.get("job") else ""
    return f"Process {holder['pid']} on {holder['host']}{job}"


def _lives_here(content: bytes) -> bool | None:
    """Return whether the holder lives; None when it is on another machine, or has not said yet who it is."""
    holder, here = _holder(content), _this_process()
    if not holder or holder["machine"] != here["machine"]:
        return None
    pid = holder["pid"]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return birth(pid) == holder["birth"]


def _this_process() -> dict[str, object]:
    """Return who holds a lease, for the machine that asks and for people."""
    pid = os.getpid()
    job = os.environ.get("SLURM_JOB_ID", "")
    return {"machine": _machine(), "pid": pid, "birth": birth(pid), "host": socket.gethostname(), "job": job}


def _machine() -> str:
    """Return what is equal where process numbers mean the same: one start of one kernel, one container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def birth(pid: int) -> str:
    """Return when a process began, which tells it from a later one of its number; "" for a dead one, or unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
