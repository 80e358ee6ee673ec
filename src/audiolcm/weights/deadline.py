"""A limit to all the time that a call takes: the network's own time-outs are of silence, which a slow drip never is."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
_POLL = 0.1


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
