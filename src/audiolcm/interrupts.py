"""Being asked to stop: Ctrl-C, SIGTERM, or SIGUSR2, by which a cluster says that time is nearly up.

A training loop ends after a whole step (``stop_on_signal``); everything else ends at once (``raise_on_signal``), since
what is half done there is done again by the same command.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
"""SIGUSR2 is what sbatch's ``--signal=USR2@120`` and submitit send ahead of a time limit or a preemption."""


class Interrupted(SystemExit):
    """A signal ended the run and nothing is lost; exits with the code of that signal, such as 143 for SIGTERM.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def stop_on_signal() -> Iterator[list[int]]:
    """Yield a list to which the signals that arrive are added, so that a loop ends after a whole step.

    A second Ctrl-C interrupts at once.
    """
    arrived: list[int] = []

    def note(number: int, frame: object) -> None:
        arrived.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with _handled_by(note):
        yield arrived


@contextmanager
def raise_on_signal() -> Iterator[None]:
    """Raise ``Interrupted`` where the signal arrives."""

    def stop(number: int, frame: object) -> None:
        raise Interrupted(number)

    with _handled_by(stop):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Install the handler for all of ``SIGNALS``, and afterwards the ones before; only main threads may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
