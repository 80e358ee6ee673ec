"""Keys, scales, triads: as much theory as short tunes need. Pitches are MIDI numbers (69 is A4, 440 Hz)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


class Mode(Enum):
    """Semitones of the scale above its tonic; minor is the natural one."""

    MAJOR = (0, 2, 4, 5, 7, 9, 11)
    MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Key:
    """A tonic (0 is C, 11 is B) and a mode."""

    tonic: int
    mode: Mode

    @property
    def name(self) -> str:
        """For instance "A minor"."""
        return f"{TONICS[self.tonic]} {self.mode.name.lower()}"

    def scale(self, lowest: int, highest: int) -> list[int]:
        """Return the pitches of the scale from ``lowest`` to ``highest``, both included."""
        return [pitch for pitch in range(lowest, highest + 1) if (pitch - self.tonic) % 12 in self.mode.value]

    def triad(self, degree: int) -> tuple[int, int, int]:
        """Return the pitch classes of root, third and fifth on a degree of the scale (0 is the tonic)."""
        root, third, fifth = ((self.tonic + self.mode.value[(degree + step) % 7]) % 12 for step in (0, 2, 4))
        return root, third, fifth


def hertz(pitch: int) -> float:
    """Return the frequency in equal temperament."""
    return 440.0 * 2.0 ** ((pitch - 69) / 12)


def nearest(pitches: Sequence[int], pitch: int, classes: Sequence[int]) -> int:
    """Return the index of the pitch of one of the classes that lies nearest to ``pitch``; the lower of two."""
    fitting = [index for index, candidate in enumerate(pitches) if candidate % 12 in classes]
    return min(fitting, key=lambda index: abs(pitches[index] - pitch))


def voiced(classes: Sequence[int], lowest: int) -> tuple[int, ...]:
    """Return the pitch classes as pitches within the octave from ``lowest`` on, ascending."""
    return tuple(sorted(lowest + (value - lowest) % 12 for value in classes))
