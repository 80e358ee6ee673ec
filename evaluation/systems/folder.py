"""Sounds that lie in a folder, made by any system: which file belongs to which caption."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.data.locating import AUDIO_SUFFIXES, folded, is_left_by_macos
from audiolcm.errors import UserError
from evaluation.item_names import safe_name
from evaluation.protocol import ProtocolItem, TestSet

_NUMBERED = [re.compile(pattern) for pattern in (r"(.+)__(\d+)", r"(.+)_sample_(\d+)(?:_0)?", r"(.+)_(\d+)")]
_BY_POSITION = re.compile(r"output_(\d+)")


class Folder:
    """Sound files made elsewhere.

    For a clip with the name NAME and its caption number i (from 0) the file is ``NAME__i``, ``NAME_i``,
    ``NAME_sample_i`` or ``NAME_sample_i_0`` (released AudioLCM), and simply ``NAME`` where the protocol has one caption
    a clip; or ``output_j`` (Tango) for the j-th caption of the list. Any sound format. Names may differ in spaces at
    their ends and in Unicode's forms. Other sounds are refused, not ignored.

    Args:
        path: the folder; with several seeds it holds one folder ``seed<s>`` for each.
    """

    name = "folder"

    def __init__(self, path: str | None) -> None:
        if path is None:
            raise UserError("system=folder needs the folder of sounds: add path=FOLDER.")
        self.path = Path(path).expanduser()
        if not self.path.is_dir():
            raise UserError(f"path={self.path} is no folder.")
        seeded = sorted(path for path in self.path.glob("seed[0-9]*") if path.is_dir())
        self.is_seeded = bool(seeded)
        for place in seeded or [self.path]:
            _sound_files(place)

    def facts(self) -> dict[str, Any]:
        """Return where the sounds lie."""
        return {"path": str(self.path)}

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Return the files of every item and seed."""
        return [path for seed in seeds for path in self.sounds(test_set, seed, self.path)]

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return the file of each item.

        Raises:
            UserError: when the folder is empty, when an item has no file or two, or a file belongs to no item.
        """
        place = self.path / f"seed{seed}" if self.is_seeded else self.path
        files = _sound_files(place)
        found = _matched(files, test_set.all_items)
        missing = [item.name for item in test_set.items if item.name not in found]
        surplus = sorted(set(files) - {path for paths in found.values() for path in paths})
        twice = [name for name, paths in found.items() if len(paths) > 1]
        if missing or surplus or twice:
            raise UserError(_mismatch(place, len(files), len(test_set.items), missing, surplus, twice))
        return [found[item.name][0] for item in test_set.items]


def _sound_files(place: Path) -> list[Path]:
    sounds = (file for file in place.glob("*") if file.suffix.lower() in AUDIO_SUFFIXES)
    files = sorted(file for file in sounds if not is_left_by_macos(file.name))
    if not files:
        raise UserError(f"{place} holds no sound file ({', '.join(AUDIO_SUFFIXES)}).")
    return files


def _matched(files: Sequence[Path], items: Sequence[ProtocolItem]) -> dict[str, list[Path]]:
    """Return the files of each item name."""
    names = {item.name: item.name for item in items}
    for item in items:  # after all of them: what is written alike comes first
        names.setdefault(_folded(item.clip_name, item.name.rpartition("__")[2]), item.name)
    found: dict[str, list[Path]] = {}
    for file in files:
        stem = file.name.removesuffix(file.suffix)
        if name := _item_name(stem, names, items):
            found.setdefault(name, []).append(file)
    return found


def _folded(clip: str, number: str) -> str:
    return f"{safe_name(folded(clip))}__{number}"


def _item_name(stem: str, names: Mapping[str, str], items: Sequence[ProtocolItem]) -> str | None:
    for one in (f"{stem}__0", _folded(stem, "0")):
        if one in names and f"{one.removesuffix('0')}1" not in names:  # one caption: the clip's own name
            return names[one]
    for pattern in _NUMBERED:
        if numbered := pattern.fullmatch(stem.rstrip()):
            for name in (f"{numbered[1]}__{numbered[2]}", _folded(numbered[1], numbered[2])):
                if name in names:
                    return names[name]
    position = _BY_POSITION.fullmatch(stem)
    if position and int(position[1]) < len(items):
        return items[int(position[1])].name
    return None


def _mismatch(
    place: Path, num_files: int, num_items: int, missing: list[str], surplus: list[Path], twice: list[str]
) -> str:
    parts = [f"{place} does not match the protocol: {num_files} files for {num_items} captions."]
    if missing:
        parts.append(f"{len(missing)} captions have no file, such as {', '.join(missing[:3])}.")
    if surplus:
        names = ", ".join(path.name for path in surplus[:3])
        parts.append(f"{len(surplus)} files belong to no caption, such as {names}.")
    if twice:
        parts.append(f"{len(twice)} captions have several files, such as {', '.join(twice[:3])}.")
    naming = "Name the files <clip>__<i>.wav, i counting the captions of a clip from 0"
    return " ".join([*parts, f"{naming}; nothing was scored."])
