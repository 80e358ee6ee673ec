"""From what a tune is to the words that say so: like MusicCaps, and short enough for the small text encoder."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType

from numpy.random import Generator

from audiolcm.data.tunes.theory import Key, Mode

LONGEST = 15
"""Words: what text_encoder=hashed takes in by default."""


class Pace(Enum):
    """What a caption calls the tempo: the range in beats a minute. Tempos between the ranges do not occur."""

    SLOW = (60, 80)
    MODERATE = (92, 112)
    FAST = (126, 160)

    @property
    def word(self) -> str:
        """As captions say it."""
        return self.name.lower()


class Force(Enum):
    """How loud the drums are, where a caption says it: decibels of their RMS above the melody's."""

    SOFT = (-12.0, -9.0)
    LOUD = (3.0, 6.0)


UNSTATED_FORCE = (-5.0, -1.0)
MOODS: Mapping[tuple[Mode, Pace], Sequence[str]] = MappingProxyType(
    {
        (Mode.MAJOR, Pace.SLOW): ("calm", "peaceful"),
        (Mode.MAJOR, Pace.MODERATE): ("pleasant", "warm"),
        (Mode.MAJOR, Pace.FAST): ("happy", "cheerful"),
        (Mode.MINOR, Pace.SLOW): ("sad", "melancholic"),
        (Mode.MINOR, Pace.MODERATE): ("pensive", "moody"),
        (Mode.MINOR, Pace.FAST): ("tense", "dramatic"),
    }
)
"""What mode and pace are taken to mean: a word of mood says nothing else."""
TEMPLATES = (
    "a {pace} {mood} {lead} melody {key} {others} {tempo}",
    "a {mood} {lead} melody {key} {others}, {pace} tempo {tempo}",
    "{pace} {mood} music {key} {tempo}: a {lead} melody {others}",
    "{player} a {pace} {mood} melody {key} {others} {tempo}",
)
_OPTIONAL = {"mood": 0.4, "key": 0.6, "tempo": 0.5}
"""How often a caption says more than who plays and how fast."""


def caption(
    rng: Generator, lead: str, others: Sequence[str], pace: Pace, key: Key, beats_a_minute: int
) -> str:
    """Return one sentence that names all who play; mood, key and tempo only as far as ``LONGEST`` allows.

    Args:
        rng: draws the words.
        lead: label of the instrument that plays the melody.
        others: who else plays what ("organ chords", "soft drums").
        pace: what the tempo is called.
        key: of the tune.
        beats_a_minute: its tempo.
    """
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    said = {
        "lead": attributive(lead),
        "player": "strings play" if lead == "strings" else f"a {lead} plays",
        "pace": pace.word,
        "others": f"with {listed(others)}" if others else "",
    }
    optional = {
        "mood": str(rng.choice(MOODS[key.mode, pace])),
        "key": f"in {key.name}" if rng.random() < 0.4 else f"in a {key.mode.name.lower()} key",
        "tempo": f"at {beats_a_minute} bpm",
    }
    stated = [str(name) for name in rng.permutation(list(_OPTIONAL)) if rng.random() < _OPTIONAL[str(name)]]
    unsaid = dict.fromkeys(optional, "")
    while True:
        text = _sentence(template.format(**said, **unsaid | {name: optional[name] for name in stated}))
        if len(text.split()) <= LONGEST or not stated:
            return text
        stated.pop()


def structured_caption(lead: str, others: Sequence[str], pace: Pace) -> str:
    """Return ``<event& all>`` of each part joined by ``@``: everybody plays throughout."""
    return "@".join(f"<{words}& all>" for words in (f"{pace.word} {attributive(lead)} melody", *others))


def attributive(label: str) -> str:
    """Return the label before a noun: "string melody", "piano melody"."""
    return label.removesuffix("s")


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _sentence(text: str) -> str:
    """Return the filled template without gaps, articles fitted to what follows, and a capital."""
    text = re.sub(r" +(?=[,: ])", "", text).strip(" :,")
    text = re.sub(r"\ba (?=[aeio])", "an ", text)
    return text[0].upper() + text[1:]
