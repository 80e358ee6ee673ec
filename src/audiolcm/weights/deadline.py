"""Calls that may hang, made in a thread of their own: one with a limit to all its time, or many that nobody waits for.

The network's own time-outs are of silence, which a slow drip never is.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
_POLL = 0.1
_WAITING_CALLS = 10_000


def within(seconds: float, call: Callable[[], T], given_up: Callable[[], bool] = lambda: False) -> T:
    """Return what ``call`` returns, or raise what it raises.

    It is made in a thread of its own. One that takes too long is left to itself: nobody hears of it any more, and it
    does not keep the program from ending.

    Args:
        seconds: how long it may take.
        call: what is done.
        given_up: asked meanwhile; true ends the waiting too.

    Raises:
        TimeoutError: it took longer than ``seconds``, or was given up.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again where the answer is waited for)
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    end = time.monotonic() + seconds
    while not answer.done():
        if given_up() or time.monotonic() > end:
            raise TimeoutError(f"timed out after {seconds:g} s")
        wait([answer], min(_POLL, seconds))
    return answer.result()


class Background:
    """Calls made in order in a thread of their own, so that one that hangs or fails stops nobody.

    Attributes:
        trouble: the first that went wrong, in words; None while all is well. After it nothing is called any more.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._calls: queue.Queue[Callable[[], object] | None] = queue.Queue(_WAITING_CALLS)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def send(self, call: Callable[[], object]) -> None:
        """Have ``call`` made when its turn comes."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            self.trouble = self.trouble or "it takes no more figures"

    def close(self, seconds: float) -> None:
        """Wait for the calls made so far, at most so long."""
        try:
            self._calls.put(None, timeout=seconds)
        except queue.Full:
            self.trouble = self.trouble or "it takes no more figures"
            return
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.trouble = self.trouble or f"it did not answer within {seconds:.0f} s"

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if self.trouble:
                continue
            try:
                call()
            except Exception as error:  # noqa: BLE001 (whatever breaks there, the training goes on)
                self.trouble = f"{type(error).__name__}: {error}".rstrip(": ")
