"""Signals end a loop after its step, and everything else where it stands."""

import os
import signal

import pytest

from audiolcm.interrupts import SIGNALS, Interrupted, raise_on_signal, stop_on_signal


@pytest.mark.parametrize("number", SIGNALS)
def test_a_loop_notes_the_signal_and_goes_on(number):
    with pytest.raises(Interrupted) as caught, stop_on_signal() as arrived:  # noqa: PT012
        os.kill(os.getpid(), number)
        assert arrived == [number]  # and goes on; nobody looked, so it ends here
    assert caught.value.number == number


@pytest.mark.parametrize("number", SIGNALS)
def test_anything_else_ends_with_the_code_of_the_signal(number):
    with pytest.raises(Interrupted) as caught, raise_on_signal():
        os.kill(os.getpid(), number)
    assert (caught.value.code, caught.value.number) == (128 + number, number)


def test_where_a_loop_stopped_is_told_by_the_loop():
    with pytest.raises(Interrupted) as caught, stop_on_signal():
        raise Interrupted(signal.SIGTERM)
    assert caught.value.is_told
    with pytest.raises(Interrupted) as caught, raise_on_signal():
        os.kill(os.getpid(), signal.SIGTERM)
    assert not caught.value.is_told


def test_a_loop_inside_notes_and_the_code_after_it_raises():
    with raise_on_signal():
        with pytest.raises(Interrupted), stop_on_signal() as arrived:  # noqa: PT012
            os.kill(os.getpid(), signal.SIGTERM)
            assert arrived
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_second_ctrl_c_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), stop_on_signal():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_before_come_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    with raise_on_signal(), stop_on_signal():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_forked_workers_leave_stopping_to_their_parent():
    def dispositions():
        return [signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGINT, signal.SIGTERM)]

    with stop_on_signal():
        mine = dispositions()
        child = os.fork()
        if not child:
            os._exit(dispositions() != [signal.SIG_IGN, signal.SIG_IGN, signal.SIG_DFL])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert dispositions() == mine
