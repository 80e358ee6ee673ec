"""A limit to all the time that a call takes: the network's own time-outs are of silence, which a slow drip never is."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, or raise what it raises.

    It is made in a thread of its own. One that takes too long is left to itself: nobody hears of it any more, and it
    does not keep the program from ending.

    Raises:
        TimeoutError: it took longer than ``seconds``.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 (raised again where the answer is waited for)
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        if answer.done():  # of the call itself
            raise
        raise TimeoutError(f"timed out after {seconds:g} s") from error
