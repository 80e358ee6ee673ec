"""Protocols: which captions are spoken for, how long sounds last, what they are compared with, how they are heard."""

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audiolcm.audio.io import write_wav
from audiolcm.configuration.build import build
from audiolcm.data.manifest import SPLITS, Clip, Corpus, Stated, StatesTruth
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError
from audiolcm.storage.hashing import content_hash
from evaluation.item_names import safe_name
from evaluation.lists import ALL, chosen_rows
from evaluation.sound import SoundReader

_MADE = (
    "The list was made from {table} as the corpus publishes it: structured captions, which the lists of the released "
    "code have from a language model, are made of the captions by rule."
)


@dataclasses.dataclass(frozen=True)
class ProtocolItem:
    """One caption to be turned into sound, and the true sound that it describes.

    Attributes:
        name: ``<clip>__<i>``, where i counts the captions of a clip from 0.
        clip: what the caption is of.
        reference: a sound file; several items share one when a clip has several captions.
        stated: counts and order in the caption, where the data set knows them.
    """

    name: str
    clip: Clip
    reference: Path
    stated: Stated = dataclasses.field(default_factory=Stated)

    @property
    def clip_name(self) -> str:
        """The clip's name, without the number of the caption."""
        return self.name.rpartition("__")[0]


Item = ProtocolItem
"""The name that classes of other people import it by since earlier versions."""


@dataclasses.dataclass(frozen=True)
class TestSet:
    """The items of a protocol, in its order.

    Attributes: items: what is scored. seconds: length of a generated sound. fingerprint: of the list. data: name of the
    data set. padded_to: seconds that every sound is cut or padded to before it is heard, as training examples are; 0:
    as it is. whole: all items of the protocol, where ``items`` are only some of them; empty otherwise. notes: what a
    reader must know of it.
    """

    items: tuple[ProtocolItem, ...]
    seconds: float
    fingerprint: str
    data: str
    padded_to: float = 0.0
    whole: tuple[ProtocolItem, ...] = ()
    notes: tuple[str, ...] = ()

    __test__ = False  # for pytest: this is no test

    @property
    def all_items(self) -> tuple[ProtocolItem, ...]:
        """All items of the protocol."""
        return self.whole or self.items

    @property
    def references(self) -> list[Path]:
        """Every reference once, in order of appearance."""
        return list(dict.fromkeys(item.reference for item in self.items))

    def first(self, count: int | None) -> "TestSet":
        """Return the first ``count`` items; None for all.

        Raises:
            UserError: when there are fewer, or ``count`` is below 1.
        """
        if count is None:
            return self
        if not 1 <= count <= len(self.items):
            raise UserError(
                f"num_clips={count} is out of range: the protocol has 1 to {len(self.items)} clips."
            )
        return dataclasses.replace(self, items=self.items[:count], whole=self.all_items)

    def with_references(self) -> "TestSet":
        """Return the items whose reference is there.

        Raises:
            UserError: when there is none.
        """
        kept = tuple(item for item in self.items if os.path.isfile(item.reference))
        if not kept:
            raise UserError(
                f"None of the {len(self.references)} reference sounds is there: check dataset.root."
            )
        return dataclasses.replace(self, items=kept, whole=self.all_items)

    def require_references(self) -> None:
        """Refuse to go on when a reference is not there.

        Raises:
            UserError: with the number of those, and the first names.
        """
        if absent := [path for path in self.references if not os.path.isfile(path)]:
            raise UserError(
                f"{len(absent)} of {len(self.references)} reference sounds are missing, such as "
                f"{', '.join(str(path) for path in absent[:3])}. Put them below dataset.root (names: see "
                "docs/data.md), or choose metrics that need no references, such as metrics=is_panns."
            )


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What a published figure depends on besides the system.

    Args:
        name: as it is chosen, such as ``clotho_eval``.
        title: for tables.
        reader: how sounds are heard.
        readers: how they are heard by single networks instead, by the name of each in the section ``features``.
        dataset: the only data set that it is defined on; null for any.
        table: file names of its caption list, the first that is there; null takes ``split`` of the data set as it is
            prepared.
        captions: folder of the list; null for ``dataset.root``.
        from_published: how the list is made of the data set's own test table, as published (``dataset.test``), where
            ``table`` is not there: ``all`` takes the first caption of every row, other names the rows that
            ``evaluation.lists`` knows; null where it cannot be made.
        source: where to get a list, for the message that it is missing.
        split: of a prepared data set, or of a published table that holds several; ``all`` for the whole table.
        without: names of clips of a prepared data set that cannot be used and are left out; any other bad row is an
            error.
        num_items: captions that the list must have; null: not checked.
        num_references: distinct reference clips that the list must have; null: not checked.
        seconds: length of a generated sound; null for the length of the data set's training examples.
        reference_seconds: of a longer sound, as references may be, only the start is heard; null: all of it.
        is_published: whether its figures may be compared with published ones.
        notes: what a reader must know.
    """

    name: str
    title: str
    reader: SoundReader
    dataset: str | None = None
    table: str | list[str] | None = None
    captions: str | None = None
    from_published: str | None = None
    source: str = ""
    split: str = "test"
    without: tuple[str, ...] | list[str] = ()
    num_items: int | None = None
    num_references: int | None = None
    seconds: float | None = None
    reference_seconds: float | None = None
    is_published: bool = True
    notes: tuple[str, ...] | list[str] = ()
    readers: Mapping[str, SoundReader] | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "reference_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"protocol.{name}={value} must be above 0, or null.")

    def test_set(self, dataset: Mapping[str, Any], cache: Path) -> TestSet:
        """Return the items of this protocol on a data set of the configuration.

        Raises:
            UserError: when the data set is another one, the list is missing or has another number of rows, or rows are
                bad.
        """
        if self.table is None:
            return self._prepared_items(dataset, cache)
        corpus = build(dict(dataset), "dataset")
        if self.dataset is not None and corpus.name != self.dataset:
            raise UserError(
                f"protocol={self.name} is defined on dataset={self.dataset}, not on {corpus.name}."
            )
        folder = Path(self.captions).expanduser() if self.captions else corpus.root
        table, is_own = self._list(folder, dataset)
        every, clips = self._clips(build(dict(dataset) | {"test": str(table)}, "dataset"), table, is_own)
        _refuse_bad([f"{clip.name}: {clip.problem}" for clip in clips if clip.problem], len(clips))
        items = _items(clips, map(_sound, clips), {_sound(clip): clip.name for clip in reversed(every)})
        self._check_counts(items, table)
        fingerprint = content_hash([[clip.name, clip.caption, clip.structured_caption] for clip in clips])
        notes = () if is_own else (_MADE.format(table=table.name),)
        return TestSet(items, self.seconds or corpus.duration, fingerprint, corpus.name, notes=notes)

    def _list(self, folder: Path, dataset: Mapping[str, Any]) -> tuple[Path, bool]:
        """Return the list of captions, and whether it is the protocol's own; else the data set's published table.

        Raises:
            UserError: neither is there.
        """
        own = [self.table] if isinstance(self.table, str) else list(self.table or ())
        published = [str(dataset["test"])] if self.from_published and dataset.get("test") else []
        for name in (*own, *published):
            if (folder / name).is_file():
                return (folder / name).absolute(), name in own and name not in published
        raise UserError(
            f"protocol={self.name} needs its list of captions, and {' or '.join((*own, *published))} is missing in "
            f"{folder.absolute()}. {self.source} Or give the folder that has it: protocol.captions=FOLDER."
        )

    def _clips(self, corpus: Corpus, table: Path, is_own: bool) -> tuple[Sequence[Clip], list[Clip]]:
        """Return all clips of a list, and those that the protocol takes: of a published table the chosen ones."""
        splits = SPLITS if self.split == ALL else (self.split,)
        every = sorted((clip for split in splits for clip in corpus.clips(split)), key=lambda clip: clip.row)
        if is_own or self.from_published is None:
            return every, every
        clip_of_row = {clip.row: clip for clip in reversed(every)}  # the first caption of each row
        rows = chosen_rows(self.from_published, read_table(table), table)
        return every, [clip_of_row[row.line] for row in rows if row.line in clip_of_row]

    def _check_counts(self, items: Sequence[ProtocolItem], table: Path) -> None:
        found = {"captions": len(items), "reference clips": len({item.reference for item in items})}
        wanted = {"captions": self.num_items, "reference clips": self.num_references}
        for what, count in wanted.items():
            if count is not None and found[what] != count:
                raise UserError(
                    f"protocol={self.name} has {count} {what}, but {table} gives {found[what]}: it is another version "
                    f"of the list, or cut off. Figures of another list may not bear the protocol's name. {self.source}"
                )

    def _prepared_items(self, dataset: Mapping[str, Any], cache: Path) -> TestSet:
        corpus = build(dataset, "dataset")
        data = prepare(corpus, cache)
        split = data.split(self.split)
        if not len(split):
            raise UserError(
                f"Split {self.split} of {data.name} is empty: choose protocol.split=train or validation."
            )
        bad_rows = [bad for bad in split.bad_rows if bad.name not in self.without]
        _refuse_bad([f"row {bad.row}: {bad.reason}" for bad in bad_rows], len(split) + len(bad_rows))
        sounds = references(data, self.split)
        items = _items(split.clips, [sounds[position] for position in split.sound_of_clip])
        if isinstance(corpus, StatesTruth):
            items = tuple(dataclasses.replace(item, stated=corpus.stated(item.clip)) for item in items)
        seconds = self.seconds or data.duration
        return TestSet(items, seconds, split.fingerprint[:10], data.name, padded_to=seconds)


def references(data: PreparedData, split_name: str) -> list[Path]:
    """Return one 16-bit WAV for each distinct sound of a split, written from the cache where it is not there."""
    split = data.split(split_name)
    folder = data.folder / f"references-{split_name}"
    paths = [folder / f"{safe_name(split.clips[index].name)}.wav" for index in split.sounds]
    if repeated := [path.stem for path, count in Counter(paths).items() if count > 1]:
        raise UserError(
            f"{len(repeated)} names of clips are those of others but for slashes and dashes, such as {repeated[0]}: "
            "rename them."
        )
    for path, index in zip(paths, split.sounds, strict=True):
        if not path.exists():
            write_wav(path, split.waveform(index))
    return paths


def _items(
    clips: Sequence[Clip], sounds: Iterable[Path], bases: Mapping[Path, str] | None = None
) -> tuple[ProtocolItem, ...]:
    """Number the captions of each sound; the first clip of a sound names it, unless ``bases`` does."""
    names: dict[Path, str] = dict(bases or {})
    counts: dict[Path, int] = {}
    items = []
    for clip, sound in zip(clips, sounds, strict=True):
        base = safe_name(names.setdefault(sound, clip.name))
        items.append(ProtocolItem(f"{base}__{counts.get(sound, 0)}", clip, sound))
        counts[sound] = counts.get(sound, 0) + 1
    if repeated := [name for name, count in Counter(item.name for item in items).items() if count > 1]:
        raise UserError(
            f"{len(repeated)} clips share their name with another, such as {repeated[0]}: rename them."
        )
    return tuple(items)


def _sound(clip: Clip) -> Path:
    return clip.audio_path or Path(clip.name)


def _refuse_bad(problems: Sequence[str], total: int) -> None:
    if problems:
        raise UserError(
            f"{len(problems)} of {total} rows cannot be used, the first: {problems[0]} A figure of the others would "
            "not be the protocol's: repair them (audiolcm prepare lists them all)."
        )
