"""Plans of clips: which sources sound when, how loud, and what the caption may say about them.

A plan holds no audio and is cheap; everything a caption states is fixed here and obeyed by ``rendering``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.random import Generator

from audiolcm.data.foley import captions
from audiolcm.data.foley.captions import COUNT_WORDS, Extent, Loudness, Phrase
from audiolcm.data.foley.event_class import Countable, EventClass, Texture
from audiolcm.data.foley.primitives import SAMPLE_RATE

LONG_FROM, SHORT_UNTIL = 2.5, 1.25
"""Seconds: what is called long lasts at least the first, what is called short at most the second."""
LEVELS = {Loudness.LOUD: (0.80, 0.92), Loudness.SOFT: (0.08, 0.12), None: (0.32, 0.50)}
"""Range of the level (see rendering.normalized) of a loud, a soft and an unspecified source."""
BACKGROUND_LEVELS = (0.18, 0.28)
MAX_UNITS = 8

Interval = tuple[float, float]


@dataclass(frozen=True)
class SoundSource:
    """One sounding thing: its class, intervals of sound in seconds, level, and what its caption states."""

    label: str
    soundings: tuple[Interval, ...]
    level: float
    phrase: Phrase
    loudness: Loudness | None = None
    count: int | None = None
    extent: Extent | None = None

    @property
    def span(self) -> Interval:
        """From the first onset to the last end, in seconds."""
        return self.soundings[0][0], self.soundings[-1][1]


@dataclass(frozen=True)
class Scene:
    """A planned clip; sources in order of their first onset."""

    duration: float
    sources: tuple[SoundSource, ...]
    caption: str

    @property
    def structured_caption(self) -> str:
        """``<event& tag>`` of each source joined by ``@``."""
        tags = [captions.position_tag(*source.span, self.duration) for source in self.sources]
        return captions.structured_caption([source.phrase for source in self.sources], tags)


@dataclass(frozen=True)
class Durations:
    """Seconds: range of the clips, and ``example``, what a training example is cropped to.

    A caption must hold for the crop as well, so only clips of one steady texture get longer than ``example``.
    """

    shortest: float
    longest: float
    example: float

    @property
    def whole(self) -> float:
        """Longest clip that is never cropped."""
        return min(self.longest, self.example)

    def draw(self, rng: Generator, at_least: float = 0.0) -> float:
        """Draw the duration of a clip that is not cropped; longer ones are likelier."""
        low = min(max(self.shortest, at_least), self.whole)
        return _grid(low + (self.whole - low) * float(rng.random()) ** 0.5)


def _grid(time: float) -> float:
    return round(time * SAMPLE_RATE) / SAMPLE_RATE


def _units(rng: Generator, event_class: Countable, room: float) -> list[Interval]:
    """Return as many units as fit into ``room`` seconds, from time 0, in a steady rhythm with some jitter."""
    (shortest, longest), (closest, widest) = event_class.unit, event_class.gap
    unit, gap = rng.uniform(shortest, max(shortest, min(longest, room))), rng.uniform(closest, widest)
    units: list[Interval] = []
    start = 0.0
    while len(units) < MAX_UNITS:
        end = start + min(max(unit * rng.uniform(0.94, 1.06), shortest), longest)
        if end > room:
            break
        units.append((start, end))
        start = end + max(closest, gap * rng.uniform(0.9, 1.1))
    return units or [(0.0, shortest)]


def _placed(soundings: Sequence[Interval], window: Interval, anchor: float) -> tuple[Interval, ...]:
    """Shift soundings that begin at 0 into the window; anchor 0 puts them at its start, 1 at its end."""
    offset = window[0] + anchor * (window[1] - window[0] - soundings[-1][1])
    return tuple((_grid(start + offset), _grid(end + offset)) for start, end in soundings)


def _source(
    rng: Generator,
    event_class: EventClass,
    soundings: tuple[Interval, ...],
    *,
    loudness: Loudness | None = None,
    count: int | None = None,
    extent: Extent | None = None,
    level: Interval | None = None,
) -> SoundSource:
    words = captions.phrase(rng, event_class.wordings, loudness, count, extent)
    volume = float(rng.uniform(*(level or LEVELS[loudness])))
    return SoundSource(event_class.label, soundings, volume, words, loudness, count, extent)


def _some_loudness(rng: Generator, probability: float) -> Loudness | None:
    if rng.random() >= probability:
        return None
    return Loudness.LOUD if rng.random() < 0.5 else Loudness.SOFT


def _counted(rng: Generator, units: list[Interval], probability: float) -> tuple[list[Interval], int | None]:
    """Keep some units; with ``probability`` their number will be stated."""
    if rng.random() < probability:
        count = int(rng.integers(1, min(len(units), max(COUNT_WORDS)) + 1))
        return units[:count], count
    return units[: int(rng.integers((len(units) + 1) // 2, len(units) + 1))], None


def alone_countable(rng: Generator, event_class: Countable, durations: Durations) -> Scene:
    """Plan a clip of one countable source."""
    duration = durations.draw(rng)
    units, count = _counted(rng, _units(rng, event_class, duration), probability=0.5)
    soundings = _placed(units, (0.0, duration), rng.random())
    source = _source(rng, event_class, soundings, count=count, loudness=_some_loudness(rng, 0.3))
    return Scene(duration, (source,), captions.plain_caption(rng, captions.ALONE, [source.phrase]))


def alone_texture(rng: Generator, event_class: EventClass, durations: Durations) -> Scene:
    """Plan a clip of one texture: all of it (then it may be longer than an example), or long, short, or a part."""
    extent, duration, kind = None, durations.draw(rng), rng.random()
    if kind < 0.15:
        extent, length = Extent.SHORT, rng.uniform(event_class.shortest, SHORT_UNTIL)
    elif kind < 0.3 and durations.whole > LONG_FROM:
        duration = durations.draw(rng, at_least=LONG_FROM + 0.5)
        extent, length = Extent.LONG, rng.uniform(LONG_FROM, duration)
    elif kind < 0.75:
        if durations.longest > durations.whole and rng.random() < 0.4:
            duration = _grid(rng.uniform(durations.whole, durations.longest))
        length = duration
    else:
        length = max(event_class.shortest, rng.uniform(0.4, 0.9) * duration)
    soundings = _placed([(0.0, length)], (0.0, duration), rng.random())
    source = _source(rng, event_class, soundings, extent=extent, loudness=_some_loudness(rng, 0.3))
    return Scene(duration, (source,), captions.plain_caption(rng, captions.ALONE, [source.phrase]))


def alone(rng: Generator, event_class: EventClass, durations: Durations) -> Scene:
    """Plan a clip of one source."""
    if isinstance(event_class, Countable):
        return alone_countable(rng, event_class, durations)
    return alone_texture(rng, event_class, durations)


def plain(rng: Generator, event_class: EventClass, duration: float) -> Scene:
    """Plan a clip full of one class whose caption states nothing but the class, in its first wording."""
    units = _units(rng, event_class, duration) if isinstance(event_class, Countable) else [(0.0, duration)]
    words = Phrase(event_class.wordings[0])
    level = float(rng.uniform(*LEVELS[None]))
    source = SoundSource(event_class.label, _placed(units, (0.0, duration), rng.random()), level, words)
    return Scene(duration, (source,), captions.plain_caption(rng, ("{0}",), [words]))


def _part(rng: Generator, event_class: EventClass, window: Interval, anchor: float) -> SoundSource:
    """Return a source inside a window of a sequence."""
    room = window[1] - window[0]
    count = None
    if isinstance(event_class, Countable):
        soundings, count = _counted(rng, _units(rng, event_class, room), probability=0.4)
    else:
        soundings = [(0.0, max(event_class.shortest, rng.uniform(0.75, 1.0) * room))]
    placed = _placed(soundings, window, anchor)
    return _source(rng, event_class, placed, count=count, loudness=_some_loudness(rng, 0.2))


def sequence(rng: Generator, event_classes: Sequence[EventClass], durations: Durations) -> Scene:
    """Plan "A, then B" (or three): each source in its own window, a pause of at least 3 % of the clip between."""
    duration, parts = durations.draw(rng, at_least=0.8 * durations.whole), len(event_classes)
    shift = rng.uniform(-0.08, 0.08) if parts == 2 else 0.0
    inner = [(i / parts + shift) * duration for i in range(1, parts)]
    edges = [0.0, *(edge + sign * 0.015 * duration for edge in inner for sign in (-1.0, 1.0)), duration]
    sources = []
    for i, event_class in enumerate(event_classes):
        # Outer sources keep to the ends of the clip so that their tags are start and end.
        anchor = rng.uniform(0.0, 0.2) + (0.8 if i == parts - 1 else 0.4 if i else 0.0)
        sources.append(_part(rng, event_class, (edges[2 * i], edges[2 * i + 1]), anchor))
    templates = captions.THEN if parts == 2 else captions.THEN_THREE
    caption = captions.plain_caption(rng, templates, [source.phrase for source in sources])
    return Scene(duration, tuple(sources), caption)


def simultaneous(rng: Generator, event_class: EventClass, background: Texture, durations: Durations) -> Scene:
    """Plan "A while B": the background fills the clip, the other source sounds inside it."""
    duration = durations.draw(rng, at_least=0.6 * durations.whole)
    count = None
    if isinstance(event_class, Countable):
        soundings, count = _counted(rng, _units(rng, event_class, duration), probability=0.4)
    else:
        soundings = [(0.0, rng.uniform(0.75, 1.0) * duration)]
    placed = _placed(soundings, (0.0, duration), rng.random())
    stated = rng.random() < 0.25
    loud, soft = (Loudness.LOUD, Loudness.SOFT) if stated else (None, None)
    front = _source(rng, event_class, placed, count=count, loudness=loud)
    # A background stays below the other source, or it would hide it.
    behind = LEVELS[soft] if stated else BACKGROUND_LEVELS
    back = _source(rng, background, ((0.0, duration),), loudness=soft, level=behind)
    caption = captions.plain_caption(rng, captions.WHILE, [front.phrase, back.phrase])
    ordered = sorted((front, back), key=lambda source: source.span[0])
    return Scene(duration, tuple(ordered), caption)


def composed(
    rng: Generator, event_class: EventClass, event_classes: Mapping[str, EventClass], durations: Durations
) -> Scene:
    """Plan a clip of ``event_class`` and others, one after the other or at the same time; alone where none fits."""
    others = [item for item in event_classes.values() if item.label != event_class.label]
    backgrounds = [item for item in others if isinstance(item, Texture)]
    parts = 3 if durations.whole >= 7.5 and rng.random() < 0.3 else 2
    fits = 0.3 * durations.whole if parts == 2 else 0.23 * durations.whole
    successors = [item for item in others if item.shortest <= fits]
    may_follow = event_class.shortest <= fits and len(successors) >= parts - 1
    if backgrounds and (not may_follow or rng.random() < 0.5):
        return simultaneous(rng, event_class, backgrounds[int(rng.integers(len(backgrounds)))], durations)
    if not may_follow:
        return alone(rng, event_class, durations)
    chosen = [successors[i] for i in rng.choice(len(successors), parts - 1, replace=False)]
    chosen.insert(int(rng.integers(parts)), event_class)
    return sequence(rng, chosen, durations)
