"""What of a checkout goes along with jobs, and what stays: secrets, strays, links to elsewhere."""

import logging
import os
import subprocess
from pathlib import Path

import pytest

from audiolcm.errors import UserError
from audiolcm.sweeps.slurm.snapshot import LARGEST, listed, take_snapshot

TRACKED = ("src/audiolcm/__init__.py", "conf/train.yaml", "conf/deep/odd name é.yaml", "train.py")


def git(root: Path, *words: str) -> None:
    person = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "-C", str(root), *person, *words], check=True, capture_output=True)


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A checkout without git, as of an archive."""
    fill(tmp_path / "checkout", *TRACKED)
    return tmp_path / "checkout"


@pytest.fixture
def checkout(unpacked: Path) -> Path:
    (unpacked / ".gitignore").write_text("secret.*\n__pycache__/\n")
    git(unpacked, "init")
    git(unpacked, "add", ".")
    git(unpacked, "commit", "-m", "all")
    return unpacked


def kept(snapshot: Path) -> set[str]:
    files = {str(path.relative_to(snapshot)) for path in snapshot.rglob("*") if not path.is_dir()}
    return files - {".code_version"}


def test_what_git_ignores_stays_and_what_is_new_goes_with_its_mode(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(
        checkout,
        "conf/secret.yaml",
        "conf/new.yaml",
        "src/.env",
        "src/__pycache__/a.txt",
        "notes.txt",
        "key.py",
    )
    (checkout / "conf/new.yaml").chmod(0o600)
    (checkout / "train.py").chmod(0o750)
    snapshot = take_snapshot(checkout, tmp_path / ".code")
    assert kept(snapshot) == {*TRACKED, "conf/new.yaml", "key.py"}
    modes = {name: (snapshot / name).stat().st_mode & 0o777 for name in ("conf/new.yaml", "train.py")}
    assert modes == {"conf/new.yaml": 0o600, "train.py": 0o750}
    assert snapshot.stat().st_mode & 0o077 == 0
    assert "conf/secret.yaml (ignored by git)" in caplog.text
    assert ".env" not in caplog.text and "__pycache__" not in caplog.text


def test_a_changed_mode_is_another_snapshot(checkout: Path, tmp_path: Path) -> None:
    first = take_snapshot(checkout, tmp_path / ".code")
    (checkout / "train.py").chmod(0o600)
    assert take_snapshot(checkout, tmp_path / ".code") != first


def test_links_lead_nowhere_but_to_what_goes_along(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "outside.yaml", "folder/inner.yaml")
    fill(checkout, "conf/secret.txt", "docs/shared.yaml")
    links = {
        "out.yaml": tmp_path / "outside.yaml", "relative.yaml": Path("../../outside.yaml"),
        "folder": tmp_path / "folder", "ignored.yaml": Path("secret.txt"), "git.yaml": Path("../.git/config"),
        "nowhere.yaml": Path("gone"), "itself.yaml": Path("itself.yaml"),
    }  # fmt: skip
    good = {"same.yaml": Path("train.yaml"), "docs.yaml": Path("../docs/shared.yaml")}
    for name, target in (links | good).items():
        (checkout / "conf" / name).symlink_to(target)
    git(checkout, "add", "-f", *(f"conf/{name}" for name in ("out.yaml", "ignored.yaml")))
    snapshot = take_snapshot(checkout, tmp_path / ".code")
    assert kept(snapshot) == {*TRACKED, *(f"conf/{name}" for name in good)}
    assert not any(path.is_symlink() for path in snapshot.rglob("*"))
    assert (snapshot / "conf/docs.yaml").read_text() == "# docs/shared.yaml\n"
    assert caplog.text.count("a link to") == 5 and "and 3 more" in caplog.text


@pytest.mark.parametrize("name", ["checkout", "unpacked"])
def test_a_large_stray_file_stays_and_what_git_tracks_goes(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = request.getfixturevalue(name)
    for path in ("src/stray.bin", "src/ours.bin"):
        with (root / path).open("wb") as file:
            file.truncate(LARGEST + 1)
    if name == "checkout":
        git(root, "add", "src/ours.bin")
    names = kept(take_snapshot(root, tmp_path / ".code"))
    assert names == {*TRACKED, *(["src/ours.bin"] if name == "checkout" else [])}
    assert "src/stray.bin (10 MB that git does not track)" in caplog.text


def test_without_git_hidden_files_and_links_to_elsewhere_stay_too(unpacked: Path, tmp_path: Path) -> None:
    fill(unpacked, "conf/.env", "src/audiolcm/__pycache__/a.pyc", "docs/a.yaml")
    fill(tmp_path, "outside/a.yaml")
    (unpacked / "conf/out.yaml").symlink_to(tmp_path / "outside/a.yaml")
    (unpacked / "conf/out").symlink_to(tmp_path / "outside")
    (unpacked / "conf/hidden.yaml").symlink_to(".env")
    (unpacked / "conf/in.yaml").symlink_to("../docs/a.yaml")
    (unpacked / "evaluation").symlink_to(tmp_path / "outside")
    os.mkfifo(unpacked / "conf/pipe")
    assert kept(take_snapshot(unpacked, tmp_path / ".code")) == {*TRACKED, "conf/in.yaml"}


def test_a_removed_file_is_no_trouble_and_a_repository_inside_goes_along(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (checkout / "conf/train.yaml").unlink()
    fill(checkout, "mypkg/a.py", "mypkg/secret.txt", "mypkg/.gitignore")
    (checkout / "mypkg/.gitignore").write_text("secret.txt\n")
    git(checkout / "mypkg", "init")
    monkeypatch.chdir(checkout)
    snapshot = take_snapshot(checkout, tmp_path / ".code", ["mypkg.losses"])
    assert kept(snapshot) == {*TRACKED, "mypkg/a.py"} - {"conf/train.yaml"}
    assert "mypkg/secret.txt (ignored by git)" in caplog.text


def test_a_plugin_that_git_ignores_goes_along_since_it_is_asked_for(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(checkout, "secret.pkg/a.py", "mine/a.py")
    (checkout / ".gitignore").write_text("mine\n")
    monkeypatch.chdir(checkout)
    assert kept(take_snapshot(checkout, tmp_path / ".code", ["mine"])) == {*TRACKED, "mine/a.py"}


def test_the_own_file_of_places_goes_along_though_git_ignores_it(checkout: Path, tmp_path: Path) -> None:
    fill(checkout, "conf/local.yaml")
    (checkout / ".gitignore").write_text("local.yaml\n")
    assert kept(take_snapshot(checkout, tmp_path / ".code")) == {*TRACKED, "conf/local.yaml"}


def test_a_repository_among_the_code_goes_along(checkout: Path, tmp_path: Path) -> None:
    fill(checkout, "src/inner/a.py")
    git(checkout / "src/inner", "init")
    assert kept(take_snapshot(checkout, tmp_path / ".code")) == {*TRACKED, "src/inner/a.py"}


def test_variables_of_another_repository_uncover_nothing(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(checkout, "conf/secret.yaml")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert kept(take_snapshot(checkout, tmp_path / ".code")) == set(TRACKED)


def test_a_damaged_repository_is_not_taken_for_none(checkout: Path) -> None:
    (checkout / ".git/HEAD").unlink()
    with pytest.raises(UserError, match="git does not tell.*not a git repository"):
        listed(checkout, ["src"])


def test_git_that_refuses_is_told(checkout: Path) -> None:
    (checkout / ".git/config").write_text("[broken")
    with pytest.raises(UserError, match=r"git does not tell.*config"):
        listed(checkout, ["src"])


def test_nothing_is_said_where_nothing_is_left_out(
    checkout: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        take_snapshot(checkout, tmp_path / ".code")
    assert not caplog.text
