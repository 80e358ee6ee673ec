"""What a sound of a released model is, where nobody says otherwise: as the code that the model came with makes it."""

from dataclasses import dataclass

from audiolcm.published.sources import SCHEME
from audiolcm.weights.artifacts import Artifact


@dataclass(frozen=True)
class Conventions:
    """How a model's sounds are made.

    Attributes:
        seconds: of a sound whose duration is not given.
        length: how a duration becomes samples, a name of ``request.LENGTHS``.
        clamp_mel: whether the decoder's mel is kept within -5 and 2 before the vocoder hears it.
    """

    seconds: float = 5.0
    length: str = "exact"
    clamp_mel: bool = True


OURS = Conventions()
RELEASED = {
    f"{SCHEME}audiolcm": Conventions(seconds=10.0, length="whole", clamp_mel=False),
    f"{SCHEME}make_an_audio_2": Conventions(seconds=10.0, length="even", clamp_mel=False),
}
"""By the origin in the card of a converted file, which its exports keep; a student that is distilled here is ours."""


def conventions_of(model: Artifact) -> Conventions:
    """Return those of a model, by where its weights are from."""
    return RELEASED.get(model.card.get("origin", {}).get("name"), OURS)
