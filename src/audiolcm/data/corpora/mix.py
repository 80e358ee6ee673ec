"""Several corpora as one: the data of a large training."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.data.corpora.folder import FolderCorpus
from audiolcm.data.left_out import NameList, Sound, name_lists, naming_list
from audiolcm.data.manifest import BadRow, Clip, RejectsRows, check_split
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests


class Mix:
    """The corpora of ``include``, one after the other; a clip is named <corpus>/<its name there>.

    Args:
        corpora: name -> corpus.
        root: the folder that holds a folder <name> for each corpus whose own root is not set.
        include: names of ``corpora``; null takes all. A corpus that is not there is an error that names all of those,
            never left out silently.
        duration: seconds of one training example.
        name: short word used in folder names.
        exclude: lists of clips of any of them that are left out of training and validation; each corpus may have its
            own besides.
        resampler: of every corpus that names none itself, see ``FolderCorpus``.
    """

    def __init__(
        self,
        corpora: Mapping[str, Any],
        root: str | None = None,
        include: Sequence[str] | None = None,
        duration: float = 9.984,
        name: str = "mix",
        exclude: str | Sequence[str] | None = None,
        resampler: str | None = None,
    ) -> None:
        self.name = name
        self.duration = float(duration)
        self._root = root
        self.exclude = exclude
        names = list(corpora) if include is None else list(include)
        if unknown := [one for one in names if one not in corpora]:
            raise UserError(f"dataset.include names {unknown[0]!r}; known are {', '.join(corpora)}.")
        self._included: dict[str, FolderCorpus] = {one: corpora[one] for one in names}
        for corpus in self._included.values():
            corpus.resample_by(resampler)

    @cached_property
    def corpora(self) -> dict[str, FolderCorpus]:
        """The included corpora by name.

        Raises:
            UserError: naming every one whose folder is missing.
        """
        missing = {}
        for name, corpus in self._included.items():
            if self._root:
                corpus.place(Path(self._root).expanduser() / name)
            try:
                _ = corpus.root
            except UserError as error:
                missing[name] = f"  {name}: {error}"
        if missing:
            there = ",".join(name for name in self._included if name not in missing)
            first = f"{len(missing)} of {len(self._included)} corpora of {self.name} are not there:"
            last = (
                "Add dataset.root=FOLDER with a folder for each, or dataset.corpora.NAME.root=FOLDER, or name only "
                f"those that you have: dataset.include=[{there}]."
            )
            raise UserError("\n".join([first, *missing.values(), last]))
        return self._included

    def clips(self, split: str) -> Sequence[Clip]:
        """Return the clips of one split of all corpora."""
        check_split(split)
        return _Joined({name: corpus.clips(split) for name, corpus in self.corpora.items()})

    def waveform(self, clip: Clip) -> np.ndarray:
        """Return the sound of a clip, as its corpus gives it."""
        corpus, own = self._of(clip)
        return corpus.waveform(own)

    def mel(self, clip: Clip) -> np.ndarray | None:
        """Return the mel of a clip whose file is one, as its corpus gives it; else None."""
        corpus, own = self._of(clip)
        return corpus.mel(own)

    def _of(self, clip: Clip) -> tuple[FolderCorpus, Clip]:
        """Return the corpus of a clip, and the clip as that one names it."""
        corpus, _, name = clip.name.partition("/")
        return self.corpora[corpus], dataclasses.replace(clip, name=name)

    def rejected_rows(self) -> list[BadRow]:
        """Return the rows that the corpora return in no split."""
        return [
            dataclasses.replace(row, name=f"{name}/{row.name}")
            for name, corpus in self.corpora.items()
            if isinstance(corpus, RejectsRows)
            for row in corpus.rejected_rows()
        ]

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """Yield what tells the sounds of the clips of a split from others, also across corpora."""
        lists = () if split == "test" else self._lists
        for name, corpus in self.corpora.items():
            for sound in corpus.sounds(split, digests):
                names = (*sound.names, f"{name}/{sound.names[0]}")
                yield sound._replace(list=sound.list or naming_list(lists, names, sound.origin))

    @cached_property
    def _lists(self) -> list[NameList]:
        return name_lists(self.exclude, Path(self._root or ".").expanduser())

    def exclusions(self) -> Sequence[NameList]:
        """Return the lists of the mix and of its corpora."""
        return [*self._lists, *(one for corpus in self.corpora.values() for one in corpus.exclusions())]

    def fingerprint(self, digests: FileDigests | None = None) -> str:
        """Return the SHA-256 (hex) of the names and fingerprints of the corpora."""
        whole = hashlib.sha256(self.name.encode())
        for name, corpus in self.corpora.items():
            whole.update(f" {name} {corpus.fingerprint(digests)}".encode())
        return whole.hexdigest()


class _Joined(Sequence[Clip]):
    def __init__(self, parts: Mapping[str, Sequence[Clip]]) -> None:
        self._parts = list(parts.items())
        self._ends = list(accumulate(len(clips) for _, clips in self._parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        number = int(np.searchsorted(self._ends, index, side="right"))
        name, clips = self._parts[number]
        return _named(name, clips[index - (self._ends[number] - len(clips))])

    def __iter__(self) -> Iterator[Clip]:
        return (_named(name, clip) for name, clips in self._parts for clip in clips)


def _named(corpus: str, clip: Clip) -> Clip:
    return dataclasses.replace(clip, name=f"{corpus}/{clip.name}" if clip.name else "")
