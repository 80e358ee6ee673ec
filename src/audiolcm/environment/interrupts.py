"""Being asked to stop: Ctrl-C, SIGTERM, SIGHUP when a terminal closes, or SIGUSR2, a cluster's word that time is up.

A training loop ends after a whole step (``stop_on_signal``); everything else ends at once (``raise_on_signal``), since
what is half done there is done again by the same command.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGHUP)
"""SIGUSR2 is what sbatch's ``--signal=USR2@120`` and submitit send ahead of a time limit or a preemption."""


_installed: list[Callable[[int, object], None]] = []


def _forget_in_child() -> None:
    """Leave stopping to the process that forked this one: SLURM signals all processes of a job at once.

    A worker that ran the handlers would write checkpoints of its own; one that died would take the step with it.
    SIGTERM is how its parent ends it.
    """
    if _installed:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)


os.register_at_fork(after_in_child=_forget_in_child)


class Interrupted(SystemExit):
    """A signal ended the run and nothing is lost; exits with the code of that signal, such as 143 for SIGTERM.

    Args:
        number: the signal.

    Attributes:
        is_told: a training loop has said where it stopped, which is one message for the user and enough.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number, self.is_told = number, False


def ignore_until_ready() -> None:
    """Ignore SIGUSR2, whose default is death, while a program still starts."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """Yield a list to which the signals that arrive are added, so that a loop ends after a whole step.

    A loop that sees one says where it stops and raises ``Interrupted``. One that it did not see any more raises that
    at the end. A second Ctrl-C interrupts at once.
    """
    arrived: list[int] = []

    def note(number: int, frame: object) -> None:
        arrived.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with _handled_by(note):
        try:
            yield arrived
        except Interrupted as stop:
            stop.is_told = True
            raise
    if arrived:
        raise Interrupted(arrived[0])


@contextmanager
def raise_on_signal() -> Iterator[None]:
    """Raise ``Interrupted`` where the signal arrives."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted(number)

    with _handled_by(stop):
        yield


def run_and_hand_on(command: Sequence[str]) -> int:
    """Run a command in the place of this process: it gets the signals that this one gets. Return its exit code.

    Ctrl-C is not handed on: the terminal sends it to both. What ends by a signal has the exit code of a shell's.
    """
    waiting: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def hand_on(number: int, frame: object) -> None:
        if number == signal.SIGINT:
            return
        if process is None:
            waiting.append(number)
        else:
            process.send_signal(number)

    with _handled_by(hand_on):
        process = subprocess.Popen(command)
        for number in waiting:
            process.send_signal(number)
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Install the handler for all of ``SIGNALS``, and afterwards the ones before; only main threads may.

    A SIGHUP that is ignored stays so: that is what nohup asks for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in taken}
    _installed.append(handler)
    try:
        yield
    finally:
        _installed.remove(handler)
        for number, old in before.items():
            signal.signal(number, old)
