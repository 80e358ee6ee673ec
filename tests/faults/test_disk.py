"""A real full disk and a real write-protected one: one message, nothing half-written, and the same command goes on.

The disks are small file systems in memory, mounted where only the command sees them.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from small_run import ENVIRONMENT, train_command, weights

MOUNT = ["unshare", "--map-root-user", "--mount", "sh", "-c"]


def in_private_mounts(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MOUNT, script], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(autouse=True)
def _private_mounts(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or in_private_mounts("mount -t tmpfs none .", tmp_path).returncode:
        pytest.skip("needs Linux with user namespaces (unshare --map-root-user --mount)")


def one_message(output: str, words: str) -> None:
    assert "Traceback" not in output, output[-3000:]
    assert words in output, output[-3000:]


# In the data, in the middle, and in the teacher: the middle stands for all where time counts.
@pytest.mark.parametrize(
    "megabytes", [pytest.param(1, marks=pytest.mark.slow), 5, pytest.param(8, marks=pytest.mark.slow)]
)
def test_a_full_disk_loses_nothing(undisturbed: dict[str, str], tmp_path: Path, megabytes: int) -> None:
    """It fills in different stages; with room made, the same command goes on to the same weights."""
    (tmp_path / "disk").mkdir()
    train = shlex.join(train_command()) + " >>log 2>&1"
    script = (
        f"mount -t tmpfs -o size={megabytes}M none disk && cd disk && {{ {train}; echo first $?; "
        f"find . -name card.json | wc -l; mount -o remount,size=400M . && {train}; echo second $?; cp -r . ../kept; }}"
    )
    done = in_private_mounts(script, tmp_path)
    said = (tmp_path / "kept" / "log").read_text()
    assert re.search(r"first 1\n\d+\nsecond 0", done.stdout), done.stdout + done.stderr + said[-3000:]
    one_message(said, "No space left")
    assert weights(tmp_path / "kept") == undisturbed


def test_in_a_sweep_every_job_has_its_turn_and_what_failed_is_told(tmp_path: Path) -> None:
    """The disk of the runs is full before the last jobs, of which Hydra cannot write its own files."""
    sweep = shlex.join([*train_command("stage=describe", "seed=1,2,3,4"), "-m"])
    (tmp_path / "runs").mkdir()
    script = (
        f"mount -t tmpfs -o size=70k none runs; {sweep} >full 2>&1; echo first $?; mount -o remount,size=9M runs; "
        f"{sweep} >room 2>&1; echo second $?; cat runs/sweep/summary*.csv"
    )
    done = in_private_mounts(script, tmp_path)
    said = (tmp_path / "full").read_text()
    assert done.stdout.startswith("first 1\nsecond 0\n"), done.stdout + said[-3000:]
    one_message(said, "No space left")
    assert "Logging error" not in said
    assert [f"\t#{number} : " in said for number in range(4)] == [True] * 4
    assert said.count("failed: No space left on the disk") >= 1
    assert done.stdout.count(",done,") == 4


@pytest.mark.parametrize("place", ["artifacts", "cache", "runs"])
def test_a_write_protected_folder_is_one_message(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir()
    script = f"mount -t tmpfs -o ro none {place} && {shlex.join(train_command())}"
    done = in_private_mounts(script, tmp_path)
    assert done.returncode == 1
    one_message(done.stdout + done.stderr, "No permission to write")
