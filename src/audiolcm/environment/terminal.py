"""Words for a person at a terminal: no sign of others controls it, and a reader who leaves ends nothing.

What is told may hold names of files, answers of servers and texts of metadata, any of which can hold signs that move
the cursor, hide what was said before, or cannot be written at all.
"""

import errno
import io
import logging
import os
import re
import sys

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""A sign that controls a terminal, turns the direction of writing, or is half a letter. Line ends and tabs are none."""
_READER_LEFT = (errno.EPIPE, errno.EIO)
_handle_error = logging.Handler.handleError
_lost: set[str] = set()


def printable(text: str) -> str:
    r"""Return a text whose signs only show: those that control a terminal become ``\x1b`` and the like."""
    return CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], text)


def say(text: str) -> None:
    """Write a text to the standard output, as ``printable``."""
    sys.stdout.write(printable(text))


def complain(text: str) -> None:
    """Write a text to the standard error output, as ``printable``."""
    sys.stderr.write(printable(text))


def prepare() -> None:
    """Make this process tell people ``printable`` words only, and outlive whoever reads them; for entry points.

    A terminal that closes or a pipe like ``| head -1`` ends no run: what comes behind is for nobody. A log or an output
    on a disk that is full is told once: see ``exit_code``.
    """
    logging.setLogRecordFactory(_Record)
    logging.Handler.handleError = _told_once
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (as long as the process)
        elif stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _Steady(stream))


def exit_code() -> int:
    """Return 1 when something that was told got lost, which a program that did all else must not hide; else 0."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return int(bool(_lost))


class _Record(logging.LogRecord):
    """A message of any package."""

    def getMessage(self) -> str:
        return printable(super().getMessage())


class _Steady(io.TextIOWrapper):
    """A standard stream that never fails; what its encoding lacks it writes as an escape."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )  # fmt: skip

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._go_on_without(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._go_on_without(error)

    def _go_on_without(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # what waits in its buffer goes there too
        os.close(nowhere)
        if error.errno not in _READER_LEFT:
            _tell_lost("what this command says", error)


def _told_once(self: logging.Handler, record: logging.LogRecord) -> None:
    """Take the place of ``logging.Handler.handleError``, which shows a stack trace for each line that is lost."""
    error = sys.exc_info()[1]
    if isinstance(error, OSError):
        _tell_lost(f"the log {getattr(self, 'baseFilename', '')}".rstrip(), error)
    else:
        _handle_error(self, record)


def _tell_lost(what: str, error: OSError) -> None:
    if what not in _lost:
        _lost.add(what)
        complain(
            f"{what[:1].upper()}{what[1:]} cannot be written ({error.strerror}): it misses what was said since.\n"
        )
