"""A copy of the code beside a sweep, so that edits made after submission do not reach jobs that still wait."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.files import explained
from audiolcm.version import VERSION_FILE, code_version

FOLDERS = ("src", "conf", "evaluation", "experiments")


def take_snapshot(root: Path, place: Path, plugins: Iterable[str] = ()) -> Path:
    """Copy what the jobs of the checkout ``root`` run and read to ``place/<hash of its content>``; return that.

    So are plugins that lie in the current folder; others are installed. The same content is copied once. Cards of
    artifacts made by the copy tell of the checkout and its commit.

    Raises:
        UserError: when ``place`` can not be written.
    """
    files = {file.relative_to(root): file for file in _files(root)}
    here = Path.cwd()
    files |= {file.relative_to(here): file for name in plugins for file in _files_of_plugin(here, name)}
    snapshot = place / _content_hash(files)
    if snapshot.exists():
        return snapshot
    unfinished = place / f".{snapshot.name}.{os.getpid()}"
    try:
        for name, file in files.items():
            copy = unfinished / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)  # no hard link: an edit in place would be an edit of the copy
        (unfinished / VERSION_FILE).write_text(code_version())
        unfinished.rename(snapshot)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if snapshot.exists():  # another submission made it meanwhile
            return snapshot
        raise explained(error, place) or error from error
    return snapshot


def python_path(snapshot: Path) -> str:
    """Return what must stand first in PYTHONPATH for the snapshot to win over any installation."""
    return os.pathsep.join([str(snapshot / "src"), str(snapshot)])


def _files(root: Path) -> Iterator[Path]:
    """Yield the root scripts, pyproject.toml and every file of ``FOLDERS``, except compiled and hidden ones."""
    if not (root / "conf").is_dir():
        raise UserError(
            f"{root} is no checkout of the project: it has no conf folder. Run the train.py of one."
        )
    yield from sorted([*root.glob("*.py"), *root.glob("pyproject.toml")])
    for folder in FOLDERS:
        yield from _seen(root, folder)


def _files_of_plugin(root: Path, name: str) -> Iterator[Path]:
    """Yield the files of a plugin's top-level package, or of a module alone, where it lies in ``root``."""
    top = name.partition(".")[0]
    yield from (file for file in (root / f"{top}.py",) if file.is_file())
    yield from _seen(root, top)


def _seen(root: Path, folder: str) -> Iterator[Path]:
    """Yield every file of a folder of ``root``, except compiled and hidden ones."""
    for path in sorted((root / folder).rglob("*")):
        names = path.relative_to(root).parts
        if path.is_file() and not any(name == "__pycache__" or name.startswith(".") for name in names):
            yield path


def _content_hash(files: Mapping[Path, Path]) -> str:
    digest = hashlib.sha256()
    for name, file in files.items():
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
