"""Clips that could be used and are left out: another split has their sound, or a list names them.

A sound belongs to one split: to test before validation, to validation before training. Two clips have the same sound
when their files are equal, or when their publishers took both from one recording.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from audiolcm.data.digests import FileDigests
from audiolcm.data.exclusions import NameList
from audiolcm.data.manifest import LEFT_OUT, Corpus

_SPLITS = ("test", "validation", "train")  # who comes first keeps the sound

_logger = logging.getLogger(__name__)


class Sound(NamedTuple):
    """What tells the sound of a clip from others.

    digest: of the content of its file.  origin: the recording as publishers know it, "youtube:ID" or "freesound:ID".
    names: under which a list may name the clip.  list: the one that does. Each is empty when there is none.
    """

    digest: str = ""
    origin: str = ""
    names: tuple[str, ...] = ()
    list: str = ""


@runtime_checkable
class ComparesSounds(Protocol):
    """A corpus whose sounds can be compared with each other, and that knows lists of what to leave out."""

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """The sound of every clip of `clips(split)`, in that order."""

    def exclusions(self) -> Sequence[NameList]:
        """The lists of what is left out of training and validation."""


@dataclass
class LeftOut:
    """For every split the positions in `clips(split)` that are left out, and why."""

    reasons: dict[str, dict[int, str]] = field(default_factory=lambda: {split: {} for split in _SPLITS})

    def identity(self) -> str:
        """A hash of which clips are left out; "" when none is: then the data are those of the corpus as it is."""
        places = {split: sorted(found) for split, found in self.reasons.items() if found}
        return hashlib.sha256(json.dumps(places).encode()).hexdigest() if places else ""


def left_out(corpus: Corpus, digests: FileDigests) -> LeftOut:
    """Compare all splits of a corpus with each other, and with its lists of exclusions."""
    found = LeftOut()
    if not isinstance(corpus, ComparesSounds):
        return found
    clips = {split: corpus.clips(split) for split in _SPLITS}
    held: dict[str, tuple[str, int]] = {}  # sounds of test and validation, and where they are
    for split in _SPLITS:
        for position, sound in enumerate(corpus.sounds(split, digests)):
            if sound.list:
                found.reasons[split][position] = f"{LEFT_OUT}{sound.list} names it."
                continue
            keys = [key for key in (sound.digest, sound.origin) if key]
            owner = next((held[key] for key in keys if key in held and held[key][0] != split), None)
            if owner:
                name = clips[owner[0]][owner[1]].name
                found.reasons[split][position] = f"{LEFT_OUT}split {owner[0]} has its sound, as {name}."
            if split != "train":
                for key in keys:
                    held.setdefault(key, owner or (split, position))
    return found


def warn_of_unused_lists(corpus: Corpus) -> None:
    """Say which lists named no clip in `left_out`: most likely their names are of another kind."""
    for one in corpus.exclusions() if isinstance(corpus, ComparesSounds) else ():
        if not one.used:
            _logger.warning(
                "%s: no clip of training or validation is among the %d names of %s. A name is that of a clip or of its "
                "file, or the id of its YouTube video or Freesound recording.",
                corpus.name, len(one), one.path,
            )  # fmt: skip
