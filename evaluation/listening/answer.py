"""One rating by one rater."""

from __future__ import annotations

import dataclasses

from audiolcm.errors import UserError
from evaluation.listening.key import Key
from evaluation.listening.questions import DEVICES, SCALE


@dataclasses.dataclass(frozen=True)
class Answer:
    """One rating: of which rater and trial (its token), after how many seconds, and where it stands."""

    rater: str
    trial: str
    rating: int
    seconds: float
    device: str
    place: str


def answer(rater: str, trial: str, rating: str, seconds: float, device: str, place: str, key: Key) -> Answer:
    """Return an answer whose fields were checked.

    Raises:
        UserError: when the trial is unknown, the rating not on the scale, or the device none of the form's.
    """
    if not rater:
        raise UserError(f"{place}: no rater is named. Ask for the file again.")
    if trial not in key.by_token:
        raise UserError(
            f"{place}: trial {trial!r} is not in the key: the file was edited, or the key is another."
        )
    if rating not in map(str, SCALE):
        raise UserError(f"{place}: the rating {rating!r} is none of {', '.join(map(str, SCALE))}.")
    if device not in DEVICES:
        raise UserError(f"{place}: the device {device!r} is none of {', '.join(DEVICES)}.")
    return Answer(rater, trial, int(rating), seconds, device, place)
