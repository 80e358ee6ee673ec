"""A call that takes too long is left to itself."""

import threading
import time

import pytest

from audiolcm.weights.deadline import within


def test_what_a_call_returns_or_raises_comes_through() -> None:
    assert within(5.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 // 0)

    def own() -> None:
        raise TimeoutError("of the call")

    with pytest.raises(TimeoutError, match="of the call"):
        within(5.0, own)


def test_a_late_call_is_not_waited_for() -> None:
    stop, began = threading.Event(), time.monotonic()
    with pytest.raises(TimeoutError, match=r"timed out after 0.2 s"):
        within(0.2, lambda: stop.wait(30))
    assert time.monotonic() - began < 10
    with pytest.raises(TimeoutError):
        within(60.0, lambda: stop.wait(30), given_up=lambda: True)
    assert time.monotonic() - began < 10
    stop.set()
