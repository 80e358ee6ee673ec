"""A copy of the code beside a sweep, so that edits made after submission do not reach jobs that still wait."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import explained
from audiolcm.storage.version import VERSION_FILE, code_version
from audiolcm.sweeps.slurm.checkout import Listing, listed

log = logging.getLogger(__name__)

PARTS = (":(glob)*.py", "pyproject.toml", "src", "conf", "evaluation", "experiments")
OWN = Path("conf/local.yaml")
"""Where a user says where things lie: jobs need it, and git does not have it."""
_NUM_SHOWN = 5


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
