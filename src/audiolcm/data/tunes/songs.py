"""Plans of tunes: key, tempo, who plays which notes when, how loud, and the caption that says so.

A plan holds no audio and is cheap; everything a caption states is fixed here and obeyed by ``rendering``. A tune lasts
as long as its clip, and every part sounds at least once in any two beats.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from numpy.random import Generator

from audiolcm.data.tunes import captions
from audiolcm.data.tunes.captions import UNSTATED_FORCE, Force, Pace
from audiolcm.data.tunes.instruments import BASS, CHORD_LABELS, DRUMS, PATTERNS, SUSTAINED, Instrument
from audiolcm.data.tunes.theory import Key, Mode, nearest, voiced

BEATS_A_BAR = 4
PROGRESSIONS = {
    Mode.MAJOR: ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4)),
    Mode.MINOR: ((0, 5, 2, 6), (0, 3, 6, 0), (0, 3, 4, 0)),
}
"""Degrees of the chords, from the tonic on."""
CELLS = ((1.0, 1.0), (1.0, 0.5, 0.5), (0.5, 0.5, 1.0), (0.5, 0.5, 0.5, 0.5), (1.5, 0.5))
"""Rhythms of two beats of melody."""
CELL_SHARES = (0.3, 0.25, 0.2, 0.15, 0.1)
BASS_CELLS = ((1.0, 1.0), (2.0,), (1.0, 0.5, 0.5))
STEPS = (-2, -1, -1, 1, 1, 2)
"""Moves of the melody in steps of the scale."""
SHARES = {"chords": 0.55, "bass": 0.45, "drums": 0.5}
"""How often a tune has such a part beside its melody."""
CHORD_LEVELS, BASS_LEVELS = (-10.0, -6.0), (-5.0, -2.0)
"""Decibels of their RMS above the melody's."""
LOWEST_CHORD = 50
SHORTEST_NOTE = 0.08
"""Seconds: what the end of a clip would make shorter is left out."""


@dataclass(frozen=True)
class Note:
    """One note (a pitch) or drum hit (a name): when it begins, seconds that it is held, loudness 0 to 1."""

    start: float
    length: float
    sound: int | str
    loudness: float


@dataclass(frozen=True)
class Part:
    """What one player does: label of the instrument, role (melody, chords, bass, drums), notes, dB above the melody."""

    label: str
    role: str
    notes: tuple[Note, ...]
    level: float = 0.0
    force: Force | None = None

    @property
    def words(self) -> str:
        """The part beside a melody in words: "organ chords", "bass", "soft drums"."""
        if self.role == "chords":
            return f"{captions.attributive(self.label)} chords"
        return f"{self.force.name.lower()} {self.label}" if self.force else self.label


@dataclass(frozen=True)
class Song:
    """A planned clip: seconds, tempo, key, the time of its first beat, its parts, the melody first."""

    duration: float
    beats_a_minute: int
    pace: Pace
    key: Key
    first_beat: float
    parts: tuple[Part, ...]
    caption: str

    @property
    def structured_caption(self) -> str:
        """``<event& all>`` of each part joined by ``@``."""
        lead, *others = self.parts
        return captions.structured_caption(lead.label, [part.words for part in others], self.pace)


@dataclass(frozen=True)
class Grid:
    """Where beats lie in a clip: seconds of the first one and of a beat, and the chord of every beat."""

    first: float
    beat: float
    duration: float
    key: Key
    degrees: tuple[int, ...]

    @property
    def num_beats(self) -> int:
        """Beats that begin in the clip early enough to be heard."""
        return len(self.degrees)

    def note(self, beat: float | int, beats: float | int, sound: int | str, loudness: float) -> Note | None:
        """Return a note on the grid; None where it would begin too late. One that the clip ends is shorter."""
        start = self.first + beat * self.beat
        length = min(beats * self.beat, self.duration - start)
        return Note(start, length, sound, loudness) if length >= SHORTEST_NOTE else None


def compose(rng: Generator, lead: Instrument, duration: float) -> Song:
    """Plan a tune of ``duration`` seconds for a melody instrument."""
    pace = tuple(Pace)[int(rng.integers(len(Pace)))]
    tempo = int(rng.integers(pace.value[0], pace.value[1] + 1))
    key = Key(int(rng.integers(12)), tuple(Mode)[int(rng.integers(2))])
    grid = _grid(rng, pace, tempo, key, duration)
    parts = [_melody(rng, lead, grid)]
    present = {role: rng.random() < share for role, share in SHARES.items()}
    if present["chords"]:
        parts.append(_chords(rng, lead, grid))
    if present["bass"]:
        parts.append(_bass(rng, grid))
    if present["drums"]:
        parts.append(_drums(rng, grid))
    caption = captions.caption(rng, lead.label, [part.words for part in parts[1:]], pace, key, tempo)
    return Song(duration, tempo, pace, key, grid.first, tuple(parts), caption)


def _grid(rng: Generator, pace: Pace, tempo: int, key: Key, duration: float) -> Grid:
    first, beat = float(rng.uniform(0.0, 0.1)), 60.0 / tempo
    num_beats = 1 + int((duration - first - SHORTEST_NOTE) / beat)
    beats_a_chord = BEATS_A_BAR // 2 if pace is Pace.SLOW else BEATS_A_BAR
    progressions = PROGRESSIONS[key.mode]
    chords = progressions[int(rng.integers(len(progressions)))]
    degrees = tuple(chords[(i // beats_a_chord) % len(chords)] for i in range(num_beats))
    return Grid(first, beat, duration, key, degrees)


def _melody(rng: Generator, lead: Instrument, grid: Grid) -> Part:
    """Walk along the scale and meet the chord every two beats; begin with what tells the key: tonic, third."""
    pitches = grid.key.scale(lead.lowest, lead.highest)
    index = nearest(pitches, (lead.lowest + lead.highest) // 2, (grid.key.tonic,))
    notes = []
    for cell in range(0, grid.num_beats, 2):
        if cell:
            index = nearest(pitches, pitches[index], grid.key.triad(grid.degrees[cell]))
        lengths, beat = CELLS[int(rng.choice(len(CELLS), p=CELL_SHARES))], float(cell)
        for length in lengths:
            if len(notes) == 1:
                index = nearest(pitches, pitches[index], grid.key.triad(0)[1:2])
            loudness = float(rng.uniform(0.85, 1.0)) - (0.0 if beat == int(beat) else 0.15)
            notes.append(grid.note(beat, length, pitches[index], loudness))
            beat += length
            index += int(rng.choice(STEPS))
            index = index if 0 <= index < len(pitches) else max(1, min(index, len(pitches) - 2))
    return Part(lead.label, "melody", _heard(notes))


def _chords(rng: Generator, lead: Instrument, grid: Grid) -> Part:
    """Return triads of another instrument: two beats each where they last, struck on each beat where they die."""
    labels = [label for label in CHORD_LABELS if label != lead.label]
    label = labels[int(rng.integers(len(labels)))]
    stride = 2 if label in SUSTAINED else 1
    notes = [
        grid.note(beat, stride, pitch, 1.0 if beat % 2 == 0 else 0.85)
        for beat in range(0, grid.num_beats, stride)
        for pitch in voiced(grid.key.triad(grid.degrees[beat]), LOWEST_CHORD)
    ]
    return Part(label, "chords", _heard(notes), float(rng.uniform(*CHORD_LEVELS)))


def _bass(rng: Generator, grid: Grid) -> Part:
    """Return the roots of the chords, with the fifth in between."""
    lengths = BASS_CELLS[int(rng.integers(len(BASS_CELLS)))]
    notes = []
    for cell in range(0, grid.num_beats, 2):
        root, _, fifth = grid.key.triad(grid.degrees[cell])
        beat = float(cell)
        for number, length in enumerate(lengths):
            (pitch,) = voiced((fifth if number == 1 else root,), BASS.lowest)
            notes.append(grid.note(beat, length, pitch, 1.0 if number == 0 else 0.9))
            beat += length
    return Part(BASS.label, "bass", _heard(notes), float(rng.uniform(*BASS_LEVELS)))


def _drums(rng: Generator, grid: Grid) -> Part:
    """Return one pattern throughout; the caption tells its loudness more often than not."""
    pattern = PATTERNS[str(rng.choice(list(PATTERNS)))]
    notes = [
        grid.note(bar + beat, 1.0, name, loudness)
        for bar in range(0, grid.num_beats, BEATS_A_BAR)
        for beat, name, loudness in sorted(pattern)
    ]
    force = (None, Force.SOFT, Force.LOUD)[int(rng.integers(3))]
    level = float(rng.uniform(*(force.value if force else UNSTATED_FORCE)))
    return Part(DRUMS, "drums", _heard(notes), level, force)


def _heard(notes: Sequence[Note | None]) -> tuple[Note, ...]:
    return tuple(note for note in notes if note is not None)
