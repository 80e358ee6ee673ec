"""Where weights lie on this machine: published ones in a folder, and the models inside the package.

``embedded:foley`` is a student with its teacher, autoencoder and vocoder, trained on procedural sound
(``data.foley``) and written by ``audiolcm export --half --with-teacher``: what a main job distils from, and what makes
a newcomer's first sound. Of the standard library alone, for --help asks it too.
"""

import os
from pathlib import Path

from audiolcm.errors import UserError

FOLDER_VARIABLE = "AUDIOLCM_WEIGHTS"
SCHEME = "embedded:"
FOLEY = f"{SCHEME}foley"
_FOLDER = Path(__file__).resolve().parents[1] / "embedded"


def weights_folder(folder: Path | None = None) -> Path:
    """Return the cache folder: ``folder``, else ``$AUDIOLCM_WEIGHTS``, else ``~/.cache/audiolcm/weights``."""
    if folder is not None:
        return folder
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache/audiolcm/weights").expanduser()


def is_embedded(place: object) -> bool:
    """Return whether this names a model inside the package."""
    return str(place).startswith(SCHEME)


def folder_of(place: str | Path) -> Path:
    """Return the folder that a place names: of ``embedded:NAME`` and its parts the package's own, else the place.

    Raises:
        UserError: the package has no such model.
    """
    if not is_embedded(place):
        return Path(place)
    names = [card.parent.relative_to(_FOLDER).as_posix() for card in sorted(_FOLDER.rglob("card.json"))]
    name = str(place).removeprefix(SCHEME)
    if name not in names:
        there = ", ".join(SCHEME + known for known in names) or "none"
        raise UserError(
            f"{place} is not in this package, which has: {there}. A model of a newer version needs that version."
        )
    return _FOLDER / name


def embedded_name(folder: Path) -> str | None:
    """Return what names a folder inside the package, wherever the package lies; None of another folder."""
    folder = folder.resolve()
    return SCHEME + folder.relative_to(_FOLDER).as_posix() if folder.is_relative_to(_FOLDER) else None
