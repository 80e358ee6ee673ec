"""Clips that could be used and are left out of training and validation: they are tested on, or a list names them.

Two clips have the same sound when their files are equal, or when their publishers took both from one recording. Data
without a publisher name no recordings; there a name like that of a video is held against the videos that others name.
A sound that is both trained and validated on stays, since a validation split is often cut off by us, and is told.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from audiolcm.data.exclusions import NameList
from audiolcm.data.manifest import LEFT_OUT, SPLITS, Corpus
from audiolcm.data.youtube import possible_origins
from audiolcm.storage.file_digests import FileDigests

_logger = logging.getLogger(__name__)


class Sound(NamedTuple):
    """What tells the sound of a clip from others.

    Attributes:
        digest: of the content of its file; like all of these, empty when there is none.
        origin: the recording as publishers know it, "youtube:ID" or "freesound:ID".
        names: under which a list may name the clip.
        list: the one that does.
    """

    digest: str = ""
    origin: str = ""
    names: tuple[str, ...] = ()
    list: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """What equal sounds share."""
        return tuple(key for key in (self.digest, self.origin) if key)

    @property
    def guesses(self) -> tuple[str, ...]:
        """Which recordings it may be of by its names, where no publisher says it."""
        return () if self.origin else tuple(possible_origins(self.names))


@runtime_checkable
class ComparesSounds(Protocol):
    """A corpus whose sounds can be compared with each other, and that knows lists of what to leave out."""

    def sounds(self, split: str, digests: FileDigests) -> Iterator[Sound]:
        """Yield the sound of every clip of ``clips(split)``, in that order."""

    def exclusions(self) -> Sequence[NameList]:
        """Return the lists of what is left out of training and validation."""


@dataclass
class LeftOut:
    """Which clips of every split are left out.

    Attributes:
        reasons: for every split the positions in ``clips(split)`` that are left out, and why.
        num_shared: clips of train whose sound is in validation too; they stay.
    """

    reasons: dict[str, dict[int, str]] = field(default_factory=lambda: {split: {} for split in SPLITS})
    num_shared: int = 0

    def identity(self) -> str:
        """Return a hash of which clips are left out; "" when none is: then the data are those of the corpus itself."""
        places = {split: sorted(found) for split, found in self.reasons.items() if found}
        return hashlib.sha256(json.dumps(places, sort_keys=True).encode()).hexdigest() if places else ""


def left_out(corpus: Corpus, digests: FileDigests) -> LeftOut:
    """Compare all splits of a corpus with each other, and with its lists of exclusions."""
    found = LeftOut()
    if not isinstance(corpus, ComparesSounds):
        return found
    tests, sounds = corpus.clips("test"), list(corpus.sounds("test", digests))
    tested = _positions(sound.keys for sound in sounds)
    guessed = _positions(sound.guesses for sound in sounds)
    validated: set[str] = set()
    for split in ("validation", "train"):
        for position, sound in enumerate(corpus.sounds(split, digests)):
            place = next((tested[key] for key in (*sound.keys, *sound.guesses) if key in tested), None)
            place = guessed.get(sound.origin) if place is None else place
            if sound.list:
                found.reasons[split][position] = f"{LEFT_OUT}{sound.list} names it."
            elif place is not None:
                found.reasons[split][position] = (
                    f"{LEFT_OUT}its sound is in split test, as {tests[place].name}."
                )
            elif split == "validation":
                validated.update(sound.keys)
            else:
                found.num_shared += not validated.isdisjoint(sound.keys)
    return found


def _positions(keys: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """Return where each key of the sounds comes first."""
    places: dict[str, int] = {}
    for position, known in enumerate(keys):
        for key in known:
            places.setdefault(key, position)
    return places


def warn_of_unused_lists(corpus: Corpus) -> None:
    """Say which lists named no clip in ``left_out``: most likely their names are of another kind."""
    for one in corpus.exclusions() if isinstance(corpus, ComparesSounds) else ():
        if not one.used:
            _logger.warning(
                "%s: no clip of training or validation is among the %d names of %s. A name is that of a clip or of its "
                "file, or the id of its YouTube video or Freesound recording.",
                corpus.name, len(one), one.path,
            )  # fmt: skip
