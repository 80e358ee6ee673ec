"""The copy of the code that queued jobs run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from audiolcm.sweeps.slurm.snapshot import python_path, take_snapshot


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in (
        "src/audiolcm/__init__.py",
        "conf/train.yaml",
        "evaluation/__init__.py",
        "train.py",
        "notes.txt",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    (root / "src/audiolcm/__pycache__").mkdir()
    (root / "src/audiolcm/__pycache__/x.pyc").write_bytes(b"0")
    return root


def test_it_holds_what_jobs_run_and_edits_do_not_reach_it(checkout: Path, tmp_path: Path) -> None:
    snapshot = take_snapshot(checkout, tmp_path / "sweep/.code")
    names = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if path.is_file()}
    assert names == {
        ".code_version", "conf/train.yaml", "evaluation/__init__.py", "src/audiolcm/__init__.py", "train.py",
    }  # fmt: skip
    with (checkout / "train.py").open("a") as file:  # in place, as some editors do
        file.write("edited\n")
    assert "edited" not in (snapshot / "train.py").read_text()


def test_it_holds_plugins_of_the_current_folder(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    for name in ("mypkg/__init__.py", "mypkg/conf/solver/own.yaml", "mypkg/.hidden", "single.py", "other.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    monkeypatch.chdir(here)
    plain = take_snapshot(checkout, tmp_path / ".code")
    snapshot = take_snapshot(checkout, tmp_path / ".code", ["mypkg.losses", "single", "installed"])
    assert snapshot != plain
    kept = {path.relative_to(snapshot) for path in snapshot.rglob("*")}
    added = kept - {path.relative_to(plain) for path in plain.rglob("*")}
    assert {str(path) for path in added if (snapshot / path).is_file()} == {
        "mypkg/__init__.py", "mypkg/conf/solver/own.yaml", "single.py",
    }  # fmt: skip
    (here / "mypkg/__init__.py").write_text("edited")
    assert take_snapshot(checkout, tmp_path / ".code", ["mypkg"]) not in (plain, snapshot)


def test_the_same_content_is_copied_once_and_another_beside_it(checkout: Path, tmp_path: Path) -> None:
    place = tmp_path / ".code"
    first = take_snapshot(checkout, place)
    assert take_snapshot(checkout, place) == first
    (checkout / "conf/train.yaml").write_text("edited")
    second = take_snapshot(checkout, place)
    assert sorted(place.iterdir()) == sorted([first, second])


def test_it_wins_over_an_installation(checkout: Path, tmp_path: Path) -> None:
    snapshot = take_snapshot(checkout, tmp_path / ".code")
    command = [sys.executable, "-c", "import audiolcm; import sys; sys.stdout.write(audiolcm.__file__)"]
    environment = os.environ | {"PYTHONPATH": python_path(snapshot)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(found.stdout).is_relative_to(snapshot)


def test_a_copy_tells_of_the_original(checkout: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    module = "src/audiolcm/storage/hashing.py"
    (checkout / module).parent.mkdir()
    (checkout / module).write_text((root / module).read_text())
    snapshot = take_snapshot(checkout, tmp_path / ".code")
    (snapshot / ".code_version").write_text("1.2 (abc)")
    command = [
        sys.executable,
        "-c",
        "import sys; from audiolcm.storage.hashing import code_version as v; sys.stdout.write(v())",
    ]
    environment = os.environ | {"PYTHONPATH": python_path(snapshot)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout == "1.2 (abc)"


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkout"):
        take_snapshot(tmp_path, tmp_path / ".code")
