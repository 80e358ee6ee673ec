"""A folder of sounds without a manifest: Hugging Face's metadata files, or the sounds with what lies beside them."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from audiolcm.data.corpora.folder import find_table, sound_files
from audiolcm.data.corpora.sidecar import SidecarCorpus, words_of_name
from audiolcm.data.locating import files_below, is_left_by_macos
from audiolcm.data.manifest import Clip, fallback_structure
from audiolcm.data.manifest_tables import read_manifest
from audiolcm.data.tables import TABLE_SUFFIXES

_SPLIT_OF_FOLDER = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation", "val": "validation",
    "dev": "validation", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
"""As Hugging Face reads the names of folders."""
_NO_WORDS = "A sound"
USUAL_TABLE = "manifest.tsv"

_logger = logging.getLogger(__name__)


def clips_of_folder(root: Path, name: str) -> list[Clip]:
    """Return the clips of a folder without a manifest.

    They are those of every metadata.csv, .jsonl or .parquet at any depth, which has file_name and text; else one of
    every sound, captioned by the .json or .txt beside it, else by its file name or that of its folder. Where folders
    are named train, validation or test, they are the splits; the split is "" where that is not said.

    Args:
        root: the folder.
        name: of the data set, for messages.

    Raises:
        UserError: when there is neither, or a table of another name.
    """
    tables = sorted(path for path in files_below(root, TABLE_SUFFIXES) if path.stem == "metadata")
    if tables:
        clips = [clip for table in tables for clip in read_manifest(table)]
        found = ", ".join(str(table.relative_to(root)) for table in tables)
        named = {os.path.normpath(clip.audio_path) for clip in clips if clip.audio_path is not None}
        if others := [path for path in sound_files(root) if os.path.normpath(path) not in named]:
            found += f", which do not name {len(others)} of the sound files there, such as {others[0]}"
    else:
        _refuse_other_tables(root)
        described = SidecarCorpus(str(root), captions_from_names=True, name=name).described()
        clips = [_with_caption(clip, root) for clip in described]
        found = f"{len(clips)} sound files, captioned by the text beside them or else by their names"
    _logger.warning("%s: no %s in %s, so this is read: %s.", name, USUAL_TABLE, root, found)
    return _in_splits(clips, root)


def _refuse_other_tables(root: Path) -> None:
    """Refuse to guess anything of a folder with a table of another name, or without sounds."""
    stems = {path.stem for path in sound_files(root)}
    suffixes = (*TABLE_SUFFIXES, ".json")
    others = [
        path.name
        for path in sorted(root.iterdir())
        if path.suffix in suffixes and path.stem not in stems and not is_left_by_macos(path.name)
    ]
    if others:
        find_table(
            root, (USUAL_TABLE,), f"name the table with dataset.manifest=FILE, for example {others[0]}."
        )
    if not stems:
        hint = "write one (see the README), name it with dataset.manifest=FILE, or put sound files there."
        find_table(root, (USUAL_TABLE,), hint)


def _with_caption(clip: Clip, root: Path) -> Clip:
    """Return a clip of a sound alone with a caption, always; its folder is its label, the root is none."""
    path = clip.audio_path
    if path is None or any(path.with_suffix(suffix).is_file() for suffix in (".json", ".txt")):
        return clip
    of_folder = "" if path.parent == root else words_of_name(path.parent.name)
    caption = clip.caption or of_folder or _NO_WORDS
    labels = () if path.parent == root else clip.labels
    return replace(clip, caption=caption, structured_caption=fallback_structure(caption), labels=labels)


def _in_splits(clips: Sequence[Clip], root: Path) -> list[Clip]:
    """Give clips the splits that their folders are named after; without validation, training is still to be divided."""
    splits = [_split_of(clip, root) for clip in clips]
    undecided = "train" if "validation" in splits else ""
    return [
        clip if clip.split or not split else replace(clip, split=undecided if split == "train" else split)
        for clip, split in zip(clips, splits, strict=True)
    ]


def _split_of(clip: Clip, root: Path) -> str:
    path = clip.audio_path
    if clip.split or path is None or not path.is_relative_to(root):
        return clip.split
    folders = path.relative_to(root).parent.parts
    return next((_SPLIT_OF_FOLDER[part.lower()] for part in folders if part.lower() in _SPLIT_OF_FOLDER), "")
