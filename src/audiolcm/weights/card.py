"""The card of an artifact: written last, it seals the folder, so that what was changed since is never believed.

``card.json`` holds hashes of the weights, of the configuration and of tokenizers beside them, and one of itself.
"""

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import HASH_LENGTH, content_hash
from audiolcm.storage.plain_data import read_json
from audiolcm.weights.place import embedded_name

CARD, CONFIG, WEIGHTS = "card.json", "config.yaml", "model.safetensors"
FORMAT_VERSION = 2
"""Format 1 had no hashes but that of the weights; it is still read."""
_SEALED = (CONFIG, "*_tokenizer/*")
"""What else decides how an artifact sounds, besides the weights."""
_NEEDED = {"format_version": int, "stage": str, "name": str, "hash": str, "weights_hash": str}
_OPTIONAL = {
    "made_from": dict, "parents": dict, "origin": dict, "figures": dict, "files": dict, "derived_from": list,
    "step": int, "half_of": str, "num_parameters": int, "training_seconds": int | float, "code": str, "hardware": str,
}  # fmt: skip
_CHANGED = "was changed or damaged since it was written."
_RESTORE = (
    "Put back a whole copy of {folder}, or remove that folder and make it again. (Steps, omega and the vocoder are "
    "chosen when a sound is made: audiolcm generate --help.)"
)
_REINSTALL = (
    "It is a part of the package: in a clone `git checkout -- src/audiolcm/embedded`, or install it again."
)


def write_card(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a folder that holds everything else by now; return it as it will be read."""
    hashes = {"weights_hash": file_hash(folder / WEIGHTS), "files": _hashes(folder)}
    left_out = (*hashes, "format_version", "card_hash")
    facts = {name: value for name, value in facts.items() if name not in left_out}
    card = json.loads(json.dumps({"format_version": FORMAT_VERSION} | facts | hashes))
    card["card_hash"] = content_hash(card)
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(json.dumps(card, indent=2), encoding="utf-8")
    return card


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a folder, after comparing it with its own hash.

    Raises:
        UserError: it cannot be read, is no card, was changed, or is of a newer format.
    """
    path, advice = folder / CARD, f"Remove {folder} and make it again (`python train.py`)."
    try:
        card = read_json(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}). {advice}") from error
    except ValueError as error:  # not JSON, or not even text
        raise UserError(f"{path} is not JSON ({error}). {advice}") from error
    if not isinstance(card, dict) or not _is_card(card):
        raise UserError(f"{path} is not the card of an artifact. {advice}")
    if card["format_version"] > FORMAT_VERSION:
        raise UserError(
            f"{folder} has artifact format {card['format_version']}; this version reads up to {FORMAT_VERSION}. "
            "Upgrade audiolcm."
        )
    sealed = {name: value for name, value in card.items() if name != "card_hash"}
    if card["format_version"] > 1 and card.get("card_hash") != content_hash(sealed):
        raise UserError(f"{path} {_CHANGED} {_restore(folder)}")
    return card


def check_weights(folder: Path, card: Mapping[str, Any]) -> Path:
    """Return the path of the weights, after comparing their content with the card.

    Raises:
        UserError: they are other ones, or are not there.
    """
    path = folder / WEIGHTS
    try:
        if file_hash(path) != card["weights_hash"]:
            raise UserError(f"{path} {_CHANGED} {_restore(folder)}")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}). {_restore(folder)}") from error
    return path


def check_files(folder: Path, card: Mapping[str, Any]) -> None:
    """Compare configuration and tokenizers with the card; one of format 1 knows nothing of them.

    Raises:
        UserError: one of them is another one, is not there, or was not there.
    """
    if card["format_version"] == 1:
        return
    found = _hashes(folder)
    for name in sorted({*found, *card["files"]}):
        if found.get(name) != card["files"].get(name):
            missing = "is missing." if name not in found else _CHANGED
            raise UserError(f"{folder / name} {missing} {_restore(folder)}")


def _restore(folder: Path) -> str:
    return _REINSTALL if embedded_name(folder) else _RESTORE.format(folder=folder)


def file_hash(path: Path) -> str:
    """Return ten hexadecimal digits of SHA-256 over a file.

    Raises:
        OSError: it cannot be read, or is a pipe or a folder.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_LENGTH]


def _hashes(folder: Path) -> dict[str, str]:
    paths = sorted(path for pattern in _SEALED for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): file_hash(path) for path in paths}


def _is_card(card: Mapping[str, Any]) -> bool:
    """Return whether everything that is read of a card is there, and of its type."""
    kinds = _NEEDED | {name: kind for name, kind in _OPTIONAL.items() if name in card}
    if any(not isinstance(card.get(n), kind) or isinstance(card[n], bool) for n, kind in kinds.items()):
        return False
    trainer = card.get("made_from", {}).get("trainer", {})
    return (
        card["format_version"] >= 1
        and ("files" in card or card["format_version"] == 1)
        and all(isinstance(place, str) for place in card.get("parents", {}).values())
        and all(isinstance(origin, dict) for origin in card.get("derived_from", []))
        and isinstance(trainer, dict)
        and isinstance(trainer.get("steps"), int | None)
    )
