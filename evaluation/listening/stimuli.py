"""Stimuli: the sounds of runs of evaluate.py or of plain folders, and the filter that makes low anchors."""

import dataclasses
import functools
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.manifest import Clip
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError
from evaluation.listening.key import LOW_ANCHOR, REFERENCE
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.record import read_record
from evaluation.systems.folder import Folder

RECORD_NAME = "metrics.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PASS_HZ, _STOP_HZ, _STOP_DB = 3500.0, 4000.0, 60.0


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """One sound of a system: its caption, its file, and the file of the true sound (None: not known)."""

    caption: str
    audio: Path
    reference: Path | None


Stimuli = dict[str, Stimulus]
"""The sounds of a system by the name of their item, ``<clip>__<i>``."""


def read_systems(given: Sequence[str], captions: Path | None) -> dict[str, Stimuli]:
    """Return the sounds of each system, given as ``NAME=FOLDER``.

    Args:
        given: the systems.
        captions: table with name, caption and, for the true sounds, audio_path; for folders without a record.

    Raises:
        UserError: a name or folder cannot be used, or sounds do not match their captions.
    """
    folders: dict[str, Path] = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not folder or _NAME.fullmatch(name) is None:
            raise UserError(
                f"{text!r} names no system: write NAME=FOLDER, NAME of letters, digits, _, - and dots."
            )
        if name in folders or name in (REFERENCE, LOW_ANCHOR):
            raise UserError(f"{text!r}: the name {name} is taken. Give each system a name of its own.")
        folders[name] = Path(folder).expanduser()
    return {name: _read_system(folder, captions) for name, folder in folders.items()}


def _read_system(folder: Path, captions: Path | None) -> Stimuli:
    if (folder / RECORD_NAME).is_file():
        stimuli = {}
        for clip in read_record(folder / RECORD_NAME).clips:
            true = folder / clip.reference if clip.reference else None
            stimuli[clip.name] = Stimulus(clip.caption, folder / clip.audio, true)
        return stimuli
    if captions is None:
        raise UserError(
            f"{folder} holds no {RECORD_NAME}: give the folder of an evaluate.py run, or add --captions TABLE "
            "with the columns name and caption for a plain folder of sounds."
        )
    items = _read_items(captions)
    files = Folder(str(folder)).sounds(TestSet(tuple(items), 0.0, "", ""), 0, folder)
    return {
        item.name: Stimulus(item.clip.caption, path, item.clip.audio_path)
        for item, path in zip(items, files, strict=True)
    }


def _read_items(table: Path) -> list[ProtocolItem]:
    """Return the captions of a table as items; captions of one clip are counted from 0 in the order of its rows."""
    if not table.is_file():
        raise UserError(
            f"There is no table {table}: give --captions a file with the columns name and caption."
        )
    count: Counter[str] = Counter()
    items = []
    for row in read_table(table, ("name", "caption")):
        name, caption, audio = row["name"], row["caption"], row.get("audio_path", "")
        if row.problem or not name or not caption:
            raise UserError(
                f"{table}, row {row.line}: {row.problem or 'name or caption is empty.'} Repair the row."
            )
        path = table.parent / audio if audio else None
        clip = Clip(name, path, caption, "", 0.0, "", (), row=row.line)
        items.append(ProtocolItem(f"{name}__{count[name]}", clip, path or Path()))
        count[name] += 1
    return items


def common_items(systems: dict[str, Stimuli]) -> list[str]:
    """Return the names of the items that all systems have, sorted.

    Raises:
        UserError: there are none, or two systems were given different captions for one item.
    """
    first, *others = systems
    common = sorted(set.intersection(*map(set, systems.values())))
    if not common:
        examples = ", ".join(f"{name}: {next(iter(stimuli), 'none')}" for name, stimuli in systems.items())
        raise UserError(
            f"The systems have no clip in common ({examples}): evaluate all of them under one protocol."
        )
    for item, other in itertools.product(common, others):
        mine, theirs = systems[first][item].caption, systems[other][item].caption
        if mine != theirs:
            raise UserError(
                f"Clip {item} has the caption {mine!r} for {first} and {theirs!r} for {other}: "
                "evaluate both under one protocol."
            )
    return common


def counted(systems: dict[str, Stimuli]) -> str:
    """Return how many clips each system has, in words."""
    return ", ".join(f"{name} {len(stimuli)}" for name, stimuli in systems.items())


def references(systems: dict[str, Stimuli], items: Sequence[str]) -> dict[str, Path]:
    """Return the true sound of each item, from the first system that knows it.

    Raises:
        UserError: no system knows that of an item.
    """
    found = {}
    for item in items:
        path = next(filter(None, (stimuli[item].reference for stimuli in systems.values())), None)
        if path is None:
            raise UserError(
                f"The true sound of clip {item} is not known, so there is no hidden reference: add a column "
                "audio_path to --captions, or ask without anchors: --without-anchors."
            )
        found[item] = path
    return found


@functools.cache
def low_pass_filter() -> np.ndarray:
    """Return the taps of the low anchor's filter at 16 kHz.

    ITU-R BS.1534-3, section 5.1: flat within 0.1 dB to 3.5 kHz, 25 dB down at 4 kHz, 50 dB at 4.5 kHz.
    """
    from scipy import signal  # a second, wanted only when a test is built

    taps, beta = signal.kaiserord(_STOP_DB, (_STOP_HZ - _PASS_HZ) / (SAMPLE_RATE / 2))
    return signal.firwin(taps | 1, (_PASS_HZ + _STOP_HZ) / 2, window=("kaiser", beta), fs=SAMPLE_RATE)


def low_passed(waveform: np.ndarray) -> np.ndarray:
    """Return a waveform (samples,) without what lies above 3.5 kHz, not shifted in time."""
    return np.convolve(waveform, low_pass_filter(), "same").astype(np.float32)
