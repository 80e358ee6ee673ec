"""Signals end a loop after its step, and everything else where it stands."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audiolcm.environment.interrupts import (
    SIGNALS,
    Interrupted,
    raise_on_signal,
    run_and_hand_on,
    stop_on_signal,
)

INTERRUPTS_ITS_PARENT = """
import os, signal, time
os.kill(os.getppid(), signal.SIGINT)
time.sleep(0.5)  # a training ends after a whole step
raise SystemExit(130)
"""
WRAPPER = """
import sys
from audiolcm.environment.interrupts import run_and_hand_on
sys.exit(run_and_hand_on(sys.argv[1:]))
"""
TRAINING = """
import os, sys
from pathlib import Path
from audiolcm.environment.interrupts import stop_on_signal
with stop_on_signal() as arrived:
    Path("pid").write_text(str(os.getpid()))
    while not arrived:
        pass
    Path("checkpoint").write_text(str(arrived))
"""


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
        return [signal.getsignal(n) for n in (signal.SIGUSR2, signal.SIGINT, signal.SIGHUP, signal.SIGTERM)]

    with stop_on_signal():
        mine = dispositions()
        child = os.fork()
        if not child:
            os._exit(dispositions() != [signal.SIG_IGN] * 3 + [signal.SIG_DFL])
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert dispositions() == mine


def test_nohup_is_heeded():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal() as arrived:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not arrived
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2])
def test_what_a_wrapper_is_told_its_script_is_told(tmp_path: Path, number: int):
    command = [sys.executable, "-c", WRAPPER, sys.executable, "-c", TRAINING]
    wrapper = subprocess.Popen(command, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    wrapper.send_signal(number)
    assert wrapper.wait(timeout=60) == 128 + number
    assert (tmp_path / "checkpoint").read_text() == f"[{int(number)}]"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_script_is_waited_for_after_ctrl_c():
    before = signal.getsignal(signal.SIGINT)
    assert run_and_hand_on([sys.executable, "-c", INTERRUPTS_ITS_PARENT]) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_a_script_that_was_killed_has_the_code_of_a_shell():
    assert run_and_hand_on([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == 137
