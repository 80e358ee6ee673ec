"""What is told to people: signs of others only show, and neither a reader who leaves nor a full disk makes noise."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from audiolcm.environment.terminal import printable

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = "a\x1b[2Jb\rc\x9b1m\u202ed\udc80e\x07"
SHOWN = r"a\x1b[2Jb\rc\x9b1m\u202ed\udc80e\x07"
PREPARED = "import logging, os, sys; from audiolcm import terminal; terminal.prepare(); "


def run(code: str, **more: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", PREPARED + code], text=True, timeout=60, check=False, **more)


def piped_to_head(*command: str) -> tuple[str, str, int]:
    """Return what ``command 2>&1 | head -1`` shows, what comes behind on the shell's own stream, and the exit code."""
    words = ["bash", "-c", 'set -o pipefail; "$@" 2>&1 | head -1', "-", *command]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, done.stderr, done.returncode


def test_control_signs_only_show_and_words_of_all_languages_stay() -> None:
    assert printable(HOSTILE) == SHOWN
    same = "one\n\ttwo é 音 \U0001f600 'quoted' \\x1b"
    assert printable(same) == same


@pytest.mark.parametrize(
    "way", ["logging.warning('%s', text)", "terminal.say(text)", "terminal.complain(text)", "raise_it(text)"]
)
def test_each_way_to_tell_shows_them(way: str) -> None:
    code = f"""
from audiolcm.environment.guard import BrokenSet, one_sentence
def raise_it(text):
    with one_sentence():
        raise BrokenSet(text)
text = {HOSTILE!r}
{way}"""
    done = run(code, capture_output=True)
    assert SHOWN in done.stdout + done.stderr


def test_a_reader_who_leaves_ends_nothing(tmp_path: Path) -> None:
    code = (
        "[terminal.say('x' * 99 + '\\n') for _ in range(9999)]; [logging.error('y' * 99) for _ in range(9999)];"
        f"open({str(tmp_path / 'end')!r}, 'x'); sys.exit(terminal.exit_code())"
    )
    shown, behind, exit_code = piped_to_head(sys.executable, "-c", PREPARED + code)
    assert (len(shown.splitlines()), behind, exit_code) == (1, "", 0)
    assert (tmp_path / "end").exists()


def test_a_list_that_nobody_reads_to_its_end_is_quiet() -> None:
    shown, behind, exit_code = piped_to_head(sys.executable, "-m", "experiments", "list")
    assert shown.startswith("table1") and (behind, exit_code) == ("", 0)


def test_a_terminal_that_closes_ends_nothing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    code = (
        f"open({str(tmp_path / 'began')!r}, 'x'); sys.stdin.read(); terminal.say('x\\n'); logging.error('y');"
        f"open({str(tmp_path / 'end')!r}, 'x'); sys.exit(terminal.exit_code())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARED + code], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.close(ours)
    process.communicate(timeout=60)
    assert process.returncode == 0 and (tmp_path / "end").exists()


def test_a_log_on_a_full_disk_is_told_once_and_the_exit_code_tells_too() -> None:
    code = (
        "logging.basicConfig(filename='/dev/full', force=True); [logging.error('x') for _ in range(9)];"
        "sys.exit(terminal.exit_code())"
    )
    done = run(code, capture_output=True)
    assert done.returncode == 1
    assert done.stderr == (
        "The log /dev/full cannot be written (No space left on device): it misses what was said since.\n"
    )


def test_an_output_on_a_full_disk_is_told_once() -> None:
    with Path("/dev/full").open("w") as full:
        done = run(
            "[terminal.say('x\\n') for _ in range(99999)]; sys.exit(terminal.exit_code())",
            stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "No space left" in done.stderr


def test_a_defect_in_a_message_still_shows() -> None:
    assert "--- Logging error ---" in run("logging.error('%d', 'x')", capture_output=True).stderr


def test_a_closed_output_and_an_old_locale_are_no_trouble() -> None:
    done = run("terminal.say('é')", capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.stdout, done.returncode) == (r"\xe9", 0)
    command = ["bash", "-c", '"$@" >&- 2>&-', "-", sys.executable, "-c"]
    code = PREPARED + "terminal.say('x'); terminal.complain('y'); sys.exit(terminal.exit_code())"
    assert subprocess.run([*command, code], timeout=60, check=False).returncode == 0
