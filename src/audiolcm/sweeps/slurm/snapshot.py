"""A copy of the code beside a sweep, so that edits made after submission do not reach jobs that still wait.

The code of a checkout is what git tracks, and what is new and not ignored.
"""

import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import explained
from audiolcm.storage.hashing import VERSION_FILE, code_version

log = logging.getLogger(__name__)

PARTS = (":(glob)*.py", "pyproject.toml", "src", "conf", "evaluation", "experiments")
OWN = Path("conf/local.yaml")
"""Where a user says where things lie: jobs need it, and git does not have it."""
_NUM_SHOWN = 5
LARGEST = 10 * 2**20
"""Bytes of a file that git does not track: what is larger is data that was left lying there."""
_GIT_SECONDS = 60.0
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables that lead git to another repository, as inside its hooks."""


def take_snapshot(root: Path, place: Path, plugins: Iterable[str] = ()) -> Path:
    """Copy what the jobs of the checkout ``root`` run and read to ``place/<hash of its content>``; return that.

    So are plugins that lie in the current folder; others are installed. What does not go along is said: see
    ``listed``. The same content is copied once. Cards of artifacts made by the copy tell of the checkout and its
    commit. The copy keeps the modes of its files, and nobody else may enter it.

    Raises:
        UserError: when ``place`` cannot be written, or git does not answer about the checkout.
    """
    if not (root / "conf").is_dir():
        raise UserError(
            f"{root} is no checkout of the project: it has no conf folder. Run the train.py of one."
        )
    code = listed(root, PARTS)
    tops = dict.fromkeys(name.partition(".")[0] for name in plugins)
    for own in (listed(Path.cwd(), (f"{top}.py", top)) for top in tops):
        code = Listing(code.files | own.files, code.left_out | own.left_out)
    if (root / OWN).is_file():
        code.files[OWN] = root / OWN
        code.left_out.pop(OWN, None)
    _say(code.left_out)
    snapshot = place / _content_hash(code.files)
    if not snapshot.exists():
        _copy(code.files, snapshot)
    return snapshot


def python_path(snapshot: Path) -> str:
    """Return what must stand first in PYTHONPATH for the snapshot to win over any installation."""
    return os.pathsep.join([str(snapshot / "src"), str(snapshot)])


def _say(left_out: Mapping[Path, str]) -> None:
    if not left_out:
        return
    named = [f"{name} ({reason})" for name, reason in sorted(left_out.items())[:_NUM_SHOWN]]
    more = f", and {len(left_out) - _NUM_SHOWN} more" if len(left_out) > _NUM_SHOWN else ""
    log.warning("The jobs run a copy of the code without %s%s.", ", ".join(named), more)


def _copy(files: Mapping[Path, Path], snapshot: Path) -> None:
    unfinished = snapshot.with_name(f".{snapshot.name}.{os.getpid()}")
    try:
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir(mode=0o700)
        for name, file in files.items():
            copy = unfinished / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)  # no hard link: an edit in place would be an edit of the copy
        (unfinished / VERSION_FILE).write_text(code_version())
        unfinished.rename(snapshot)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not snapshot.exists():  # no other submission made it meanwhile
            raise explained(error, snapshot.parent) or error from error


def _content_hash(files: Mapping[Path, Path]) -> str:
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        facts = file.stat()
        digest.update(f"{name}\0{facts.st_mode:o}\0{facts.st_size}\0".encode(errors="surrogateescape"))
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


@dataclass(frozen=True)
class Listing:
    """Files by their names below the root, and the names that were left out, each with the reason."""

    files: dict[Path, Path]
    left_out: dict[Path, str]


def listed(root: Path, parts: Sequence[str]) -> Listing:
    """Return the files below ``root`` that are code.

    Those are what git tracks and, up to ``LARGEST``, what is new there; where git tracks nothing (an unpacked
    archive, a plugin that is ignored) all that is there counts as new. Left out, and told, are files that git ignores,
    that are too large or cannot be read, and links to anything that would itself be left out or lies outside of
    ``root``. Compiled and hidden files are not code, and not told.

    Args:
        root: the folder that they are in.
        parts: files and folders, as git's path specifications.

    Raises:
        UserError: git refuses to tell.
    """
    found = Listing({}, {})
    tracked = _of_git(root, parts, "--cached")
    new = _of_git(root, parts, "--others", "--exclude-standard")
    ignored = _of_git(root, parts, "--others", "--ignored", "--exclude-standard", "--directory")
    has_git = bool(tracked or new)
    if not has_git:
        new, ignored = dict.fromkeys(sorted(_walked(root, parts))), {}
    for path in [*tracked, *new]:
        name = path.relative_to(root)
        if not _is_code(name) or not os.path.lexists(path):  # removed, which git has not been told yet
            continue
        if path.is_dir() and not path.is_symlink():  # a repository in this one
            inner = listed(path, ["*"])
            found.files.update({name / own: file for own, file in inner.files.items()})
            found.left_out.update({name / own: reason for own, reason in inner.left_out.items()})
        elif reason := _reason_against(path, root, path not in tracked, has_git):
            found.left_out[name] = reason
        else:
            found.files[name] = path
    names = (path.relative_to(root) for path in ignored)
    found.left_out.update({name: "ignored by git" for name in names if _is_code(name)})
    return found


def _of_git(root: Path, parts: Sequence[str], *which: str) -> dict[Path, None]:
    """Return what git lists below a folder; nothing without git or a repository."""
    # One by one: beside a pattern git passes by the repositories that lie in the others
    return {path: None for part in parts for path in _of_part(root, part, *which)}


def _of_part(root: Path, part: str, *which: str) -> list[Path]:
    command = ["git", "-C", str(root), "ls-files", "-z", *which, "--", part]
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment["LC_ALL"] = "C"
    try:
        done = subprocess.run(command, capture_output=True, env=environment, timeout=_GIT_SECONDS)
    except FileNotFoundError:  # git is not installed
        return []
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"git does not tell what belongs to the checkout {root}: {error}") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode and ("not a git repository" not in said or os.path.lexists(root / ".git")):
        raise UserError(f"git does not tell what belongs to the checkout {root}: {said.strip()}")
    return [root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _walked(root: Path, parts: Sequence[str]) -> Iterator[Path]:
    """Yield every file of the parts, through no link."""
    for part in parts:
        for path in root.glob(part.removeprefix(":(glob)")):
            inner = [] if path.is_symlink() else path.rglob("*")
            yield from (file for file in (path, *inner) if file.is_file() or file.is_symlink())


def _is_code(name: Path) -> bool:
    return not any(
        part.startswith(".") or part == "__pycache__" or part.endswith((".egg-info", ".pyc"))
        for part in name.parts
    )


def _reason_against(path: Path, root: Path, is_new: bool, has_git: bool) -> str:
    """Return why a file is left out; "" when it is not."""
    target = Path(os.path.realpath(path))
    if path.is_symlink() and not _belongs(target, Path(os.path.realpath(root)), has_git):
        return "a link to what is not of the checkout"
    if not target.is_file():
        return "a link to no file" if path.is_symlink() else "no file"
    size = target.stat().st_size
    if is_new and size > LARGEST:
        return f"{size / 2**20:.0f} MB that git does not track"
    return "" if os.access(target, os.R_OK) else "it cannot be read"


def _belongs(target: Path, root: Path, has_git: bool) -> bool:
    """Return whether what a link leads to lies in the checkout, and would itself go along."""
    if not target.is_relative_to(root) or not _is_code(target.relative_to(root)):
        return False
    name = f":(literal){target.relative_to(root)}"
    return not has_git or bool(_of_git(root, [name], "--cached", "--others", "--exclude-standard"))
