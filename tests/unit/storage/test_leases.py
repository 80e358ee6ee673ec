"""Leases: one holder at a time, and no dead one, on this machine and on others that share the folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from damage import REPLACED, flipped

from audiolcm.errors import UserError
from audiolcm.storage import leases
from audiolcm.storage.leases import LEASE, exclusive

HOLDER = """
import sys
from pathlib import Path
from audiolcm.storage.leases import exclusive
with exclusive(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""
# Enters many times; another process inside at the same time makes the exclusive creation of "inside" fail.
CROWD = """
import os, random, sys, time
from audiolcm.storage.leases import exclusive
folder = sys.argv[1]
for _ in range(12):
    with exclusive(folder):
        inside = os.open(os.path.join(folder, "inside"), os.O_CREAT | os.O_EXCL)
        time.sleep(random.random() * 0.01)
        os.close(inside)
        os.unlink(os.path.join(folder, "inside"))
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the folder until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "in\n"
    return process


def elsewhere(folder: Path, count: int = 0, **changes: object) -> None:
    """The lease of a process on another machine."""
    folder.mkdir(exist_ok=True)
    holder = (
        leases._this_process() | {"machine": "another", "host": "node7", "job": "12", "token": "t"} | changes
    )
    (folder / LEASE).write_bytes(str(count).zfill(12).encode() + b" " + json.dumps(holder).encode())


def enters_within(folder: Path, seconds: float, patience: float = 60.0) -> bool:
    """Whether the folder can be held; a thread that still waits after ``seconds`` is let in and goes."""
    entered = threading.Event()

    def enter() -> None:
        with exclusive(folder, patience):
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    found = entered.wait(seconds)
    if not found:
        (folder / LEASE).unlink()
    thread.join(30)
    return found


def test_a_free_folder_is_held_and_given_back(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "new"):
            assert (tmp_path / "new" / LEASE).exists()
        assert list((tmp_path / "new").iterdir()) == []


def test_the_lease_goes_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path):
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_is_followed_at_once_also_as_a_zombie(tmp_path, caplog):
    process = hold(tmp_path)
    process.kill()  # not waited for: its number still exists
    assert enters_within(tmp_path, 20)
    assert f"Process {process.pid} on" in caplog.text and "taking over" in caplog.text
    process.communicate()


def test_a_living_holder_is_waited_for_however_quiet(tmp_path, caplog):
    caplog.set_level("INFO")
    process = hold(tmp_path)
    process.send_signal(signal.SIGSTOP)  # no sign of life, but it lives
    assert not enters_within(tmp_path, 2.0, patience=0.2)
    assert f"Process {process.pid} on" in caplog.text and "waiting for it" in caplog.text
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_number_that_another_process_got_since_is_not_the_holder(tmp_path):
    elsewhere(tmp_path, machine=leases._machine(), pid=os.getpid(), birth="1")
    assert enters_within(tmp_path, 20)


def test_another_machine_is_waited_for_while_it_shows_life(tmp_path):
    stop = threading.Event()

    def beat() -> None:
        count = 0
        while not stop.wait(0.2):
            count += 1
            if (tmp_path / LEASE).exists():
                elsewhere(tmp_path, count)

    elsewhere(tmp_path)
    thread = threading.Thread(target=beat)
    thread.start()
    entered = enters_within(tmp_path, 4.0, patience=1.5)
    stop.set()
    thread.join()
    assert not entered


@pytest.mark.parametrize("skew", [-1e6, 0.0, 1e6])
def test_a_silent_machine_is_followed_whatever_its_clock_says(tmp_path, skew, caplog):
    elsewhere(tmp_path)
    os.utime(tmp_path / LEASE, (time.time() + skew,) * 2)
    began = time.monotonic()
    assert enters_within(tmp_path, 30, patience=1.0)
    assert time.monotonic() - began >= 1.0  # not before its time, with a clock in the past either
    assert "Process" in caplog.text and "on node7, job 12 died" in caplog.text


def test_a_holder_killed_before_its_first_word_is_followed(tmp_path):
    (tmp_path / LEASE).touch()
    assert enters_within(tmp_path, 20, patience=0.5)


def test_a_damaged_lease_is_one_of_an_unknown_process(tmp_path):
    elsewhere(tmp_path)
    content = (tmp_path / LEASE).read_bytes()
    odd = [b"null", b"[]", b'{"pid": 1}', b'{"machine": 1, "pid": "x", "birth": "", "host": ""}', b"[" * 9999]
    for damaged in (*flipped(content, 200), *(content[:13] + holder for holder in odd)):
        assert leases._lives_here(damaged) in (None, False) and leases._described(damaged)
    (tmp_path / LEASE).write_bytes(content[:40])
    assert enters_within(tmp_path, 10.0, patience=0.5)


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link to nothing"])
def test_what_is_no_lease_is_not_waited_for(tmp_path, kind):
    elsewhere(tmp_path)
    REPLACED[kind](tmp_path / LEASE)
    with pytest.raises(UserError, match=r"\.lease is no lease"), exclusive(tmp_path):
        pass


def test_a_sleeper_that_was_followed_stops_itself(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(leases, "BEAT", 0.05)
    stopped = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    try:
        with exclusive(tmp_path):
            elsewhere(tmp_path / "other")
            (tmp_path / "other" / LEASE).replace(tmp_path / LEASE)
            assert stopped.wait(20)
        assert "another one took over" in caplog.text
        assert (tmp_path / LEASE).exists()  # the other one's
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_live_lease_taken_for_a_dead_one_comes_back(tmp_path):
    with exclusive(tmp_path):
        held = (tmp_path / LEASE).read_bytes()
        leases._remove_dead(tmp_path / LEASE, b"what a dead one had written")
        assert (tmp_path / LEASE).read_bytes() == held
        assert [path.name for path in tmp_path.iterdir()] == [LEASE]


def test_a_holder_may_remove_the_folder_that_others_wait_for(tmp_path):
    folder = tmp_path / "claims" / "0"
    entered = []

    def enter() -> None:
        with exclusive(folder):
            entered.append(folder.is_dir())

    with exclusive(folder):
        thread = threading.Thread(target=enter)
        thread.start()
        time.sleep(0.3)
        shutil.rmtree(tmp_path / "claims")
    thread.join(30)
    assert entered == [True]


def test_signs_of_life_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "BEAT", 0.05)
    with exclusive(tmp_path):
        first = (tmp_path / LEASE).read_bytes()
        deadline = time.monotonic() + 20
        while (tmp_path / LEASE).read_bytes() == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_crowd_with_deaths_in_it_enters_one_at_a_time(tmp_path):
    dead = [hold(tmp_path)]
    crowd = [subprocess.Popen([sys.executable, "-c", CROWD, str(tmp_path)]) for _ in range(4)]
    time.sleep(0.5)
    dead[0].kill()
    assert [process.wait(120) for process in crowd] == [0] * 4
    dead[0].communicate()
