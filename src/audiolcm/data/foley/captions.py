"""From what is planned to sound to the words that say so: plain and structured captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from numpy.random import Generator

from audiolcm.data.foley.event_class import Wording


class Loudness(Enum):
    """Loudness that a caption states; the value holds the adverbs it may use."""

    LOUD = ("loudly", "very loudly")
    SOFT = ("softly", "quietly")


class Extent(Enum):
    """Length that a caption states; the value holds the adverbs it may use."""

    LONG = ("for a long time",)
    SHORT = ("briefly", "for a short moment")


COUNT_WORDS = {
    1: ("once", "one time"),
    2: ("twice", "two times"),
    3: ("three times",),
    4: ("four times",),
    5: ("five times",),
    6: ("six times",),
}
"""Counts that a caption may state."""

ALONE = ("{0}", "{0}", "{0:gerund}", "the sound of {0:gerund}", "you can hear {0:gerund}")
THEN = (
    "{0}, then {1}",
    "{0}, and then {1}",
    "first {0}, then {1}",
    "{0:gerund} followed by {1:gerund}",
    "{1} after {0}",
)
THEN_THREE = ("{0}, then {1}, and finally {2}", "{0:gerund} followed by {1:gerund} and then {2:gerund}")
WHILE = (
    "{0} while {1}",
    "{1} while {0}",
    "{0} as {1}",
    "{0} with {1:gerund}",
    "{0:gerund} and {1:gerund} at the same time",
)


@dataclass(frozen=True)
class Phrase:
    """One source in words; formats as "a dog barks twice" or, with ":gerund", as "a dog barking twice"."""

    wording: Wording
    adverbs: tuple[str, ...] = ()

    def __format__(self, form: str) -> str:
        verb = self.wording.gerund if form == "gerund" else self.wording.verb
        return " ".join((self.wording.subject, verb, *self.adverbs))

    @property
    def tag(self) -> str:
        """Words of the structured caption: "dog barking twice"."""
        return " ".join((self.wording.tag, *self.adverbs))


def phrase(
    rng: Generator,
    wordings: Sequence[Wording],
    loudness: Loudness | None = None,
    count: int | None = None,
    extent: Extent | None = None,
) -> Phrase:
    """Choose the words for one source from what its caption states."""
    choices = [
        loudness.value if loudness else (),
        COUNT_WORDS[count] if count else (),
        extent.value if extent else (),
    ]
    adverbs = tuple(str(rng.choice(words)) for words in choices if words)
    return Phrase(wordings[int(rng.integers(len(wordings)))], adverbs)


def plain_caption(rng: Generator, templates: Sequence[str], phrases: Sequence[Phrase]) -> str:
    """Fill one of the templates and capitalize it."""
    text = templates[int(rng.integers(len(templates)))].format(*phrases)
    return text[0].upper() + text[1:]


def position_tag(start: float, end: float, duration: float) -> str:
    """Return the tag of a source in [start, end] of ``duration`` seconds: "all" from 60 %, else by its middle."""
    if end - start >= 0.6 * duration:
        return "all"
    middle = 0.5 * (start + end) / duration
    return "start" if middle < 0.4 else "end" if middle > 0.6 else "mid"


def structured_caption(phrases: Sequence[Phrase], tags: Sequence[str]) -> str:
    """Return ``<event& tag>`` of each source joined by ``@``, in the order given."""
    return "@".join(f"<{item.tag}& {tag}>" for item, tag in zip(phrases, tags, strict=True))
