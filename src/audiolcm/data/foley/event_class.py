"""What an event class of the procedural data set is."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from audiolcm.data.foley.primitives import Signal

Synthesizer = Callable[[Generator, Generator, int], Signal]
"""(voice, rng, num_samples) -> sound of any level that fills num_samples.

``voice`` draws what stays the same within a clip (which dog), ``rng`` what changes from one bark to the next.
"""


@dataclass(frozen=True)
class Wording:
    """One way to say the event: "a dog" + "barks" or "barking"."""

    subject: str
    verb: str
    gerund: str

    @property
    def tag(self) -> str:
        """Article-free words of the structured caption: "dog barking"."""
        bare = self.subject
        for article in ("a ", "an ", "the "):
            bare = bare.removeprefix(article)
        return f"{bare} {self.gerund}"


@dataclass(frozen=True)
class EventClass:
    """A class of sounds, one that goes on or one that can be counted.

    Attributes:
        label: its name.
        wordings: ways to say it.
        synthesize: makes the sound, or one unit of it.
        shortest: seconds that the sound, or one unit, needs at least.
    """

    label: str
    wordings: tuple[Wording, ...]
    synthesize: Synthesizer
    shortest: float


class Texture(EventClass):
    """A sound that goes on: it fills any interval of at least ``shortest`` seconds and can be long or short."""


@dataclass(frozen=True)
class Countable(EventClass):
    """A sound made of single units (barks, knocks), each inside its own interval, silence between.

    Attributes:
        unit: shortest and longest duration of one unit in seconds.
        gap: shortest and longest silence between two units in seconds; silences inside a unit are shorter than half the
            shortest gap.
    """

    unit: tuple[float, float]
    gap: tuple[float, float]


def texture(*wordings: tuple[str, str, str], shortest: float = 0.7) -> Callable[[Synthesizer], Texture]:
    """Make a ``Texture`` of the function below, which names it; of each wording give subject, verb and gerund."""
    words = tuple(Wording(*wording) for wording in wordings)
    return lambda synthesize: Texture(synthesize.__name__, words, synthesize, shortest)


def countable(
    *wordings: tuple[str, str, str], unit: tuple[float, float], gap: tuple[float, float]
) -> Callable[[Synthesizer], Countable]:
    """Make a ``Countable`` of the function below, as ``texture`` does."""
    words = tuple(Wording(*wording) for wording in wordings)
    return lambda synthesize: Countable(synthesize.__name__, words, synthesize, unit[0], unit, gap)
