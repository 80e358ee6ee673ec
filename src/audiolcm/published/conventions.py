"""What a sound of a released model is, where nobody says otherwise: as the code that the model came with makes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.published.sources import SCHEME
from audiolcm.weights.artifacts import Artifact

_LATENT_FRAME = 2 * HOP_LENGTH
"""Samples of a latent frame of the released autoencoders: 0.032 s."""
LENGTHS: Mapping[str, Callable[[float], int]] = {
    "exact": lambda seconds: round(seconds * SAMPLE_RATE),
    "whole": lambda seconds: round(seconds * SAMPLE_RATE) // _LATENT_FRAME * _LATENT_FRAME,
    "even": lambda seconds: (int(31.5 * seconds) + 1) // 2 * 2 * _LATENT_FRAME,
}
"""How many samples a duration becomes.

``exact``: to the sample, of so many latent frames as cover it. ``whole``: the latent frames that fit, so that 10 s are
312 of them, 9.984 s, as all scripts of AudioLCM make and the test script of Make-An-Audio 2. ``even``: 31.5 latent
frames a second, rounded up to an even number, so that 10 s are 316, 10.112 s, as gen_wav.py of Make-An-Audio 2 does.
"""


@dataclass(frozen=True)
class Conventions:
    """How a model's sounds are made.

    Attributes:
        seconds: of a sound whose duration is not given.
        length: how a duration becomes samples, a name of ``LENGTHS``.
        clamp_mel: whether the decoder's mel is kept within -5 and 2 before the vocoder hears it.

    Raises:
        UserError: there is no such length.
    """

    seconds: float = 5.0
    length: str = "exact"
    clamp_mel: bool = True

    def __post_init__(self) -> None:
        if self.length not in LENGTHS:
            raise UserError(f"length={self.length} is unknown: choose {', '.join(LENGTHS)}.")

    def num_samples(self, seconds: float) -> int:
        """Return how many samples a sound of so many seconds has."""
        return LENGTHS[self.length](seconds)

    def but(self, length: str | None, clamp_mel: bool | None) -> "Conventions":
        """Return these with what a user chose; None leaves them."""
        length = self.length if length is None else length
        return replace(self, length=length, clamp_mel=self.clamp_mel if clamp_mel is None else clamp_mel)


OURS = Conventions()
RELEASED = {
    f"{SCHEME}audiolcm": Conventions(seconds=10.0, length="whole", clamp_mel=False),
    f"{SCHEME}make_an_audio_2": Conventions(seconds=10.0, length="even", clamp_mel=False),
}
"""By the origin in the card of a converted file, which its exports keep; a student that is distilled here is ours."""


def conventions_of(model: Artifact) -> Conventions:
    """Return those of a model, by where its weights are from."""
    return RELEASED.get(model.card.get("origin", {}).get("name"), OURS)
