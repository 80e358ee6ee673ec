"""What is asked of a model, read from what people and programs pass: NumPy's numbers are numbers, booleans are not."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from audiolcm.configuration.ranges import in_range
from audiolcm.data.manifest import fallback_structure, has_words
from audiolcm.errors import UserError

MIN_SECONDS, MAX_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class Request:
    """Captions, as many structured captions and seeds, and the seconds of every sound."""

    captions: list[str]
    structured: list[str]
    seeds: list[int]
    duration: float


def read_request(
    captions: str | Sequence[str], duration: object, seed: object, structured: Sequence[str] | None
) -> Request:
    """Return the request, checked; see ``AudioLCM.__call__`` for what each may be.

    Raises:
        UserError: a value of another kind or out of range, an empty caption, numbers of things that do not match.
    """
    captions = [captions] if isinstance(captions, str) else list(captions)
    structured = list(structured or [fallback_structure(caption) for caption in captions])
    request = Request(captions, structured, _seeds(seed, len(captions)), _seconds(duration))
    _check(request)
    return request


def sampler_settings(steps: object = None, omega: object = None) -> dict[str, int | float]:
    """Return what replaces a sampler's own ``num_steps`` and ``omega``; None replaces nothing.

    Raises:
        UserError: steps that are no whole number of at least 1, an omega that is no number or out of range.
    """
    settings: dict[str, int | float] = {}
    if steps is not None:
        settings["num_steps"] = whole("steps", steps)
        if settings["num_steps"] < 1:
            raise UserError(f"steps={steps} must be 1 or more; a student is made for 1 to 4.")
        in_range("steps", settings["num_steps"], f"steps={steps}")
    if omega is not None:
        settings["omega"] = _real("omega", omega)
        in_range("omega", settings["omega"], f"omega={omega} (CFG scale - 1; the paper samples with 4)")
    return settings


def read_candidates(candidates: object) -> int:
    """Return how many sounds are made for a caption.

    Raises:
        UserError: it is no whole number of at least 1.
    """
    count = whole("candidates", candidates)
    in_range("candidates", count, f"candidates={count}")
    return count


def whole(name: str, value: Any) -> int:
    """Return a whole number of Python's, of one of Python's or NumPy's; booleans and 2.0 are none."""
    if isinstance(value, bool | np.bool_):
        raise UserError(f"{name}={value!r} must be a whole number.")
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(f"{name}={value!r} must be a whole number.") from None


def _real(name: str, value: Any) -> float:
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise UserError(f"{name}={value!r} must be a number.")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UserError(f"{name}={value!r} must be a number.") from None


def _seeds(seed: Any, count: int) -> list[int]:
    is_one = isinstance(seed, str | bytes) or not isinstance(seed, Iterable) or np.ndim(cast(Any, seed)) == 0
    seeds = [whole("seed", seed)] * count if is_one else [whole("seed", one) for one in seed]
    for one in seeds:
        in_range("seed", one, f"seed={one}")
    return seeds


def _seconds(duration: object) -> float:
    seconds = _real("duration", duration)
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UserError(
            f"duration={seconds:g} s is out of range: {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds."
        )
    return seconds


def _check(request: Request) -> None:
    captions, structured, seeds = request.captions, request.structured, request.seeds
    if not captions or any(not caption.strip() for caption in captions):
        raise UserError("A caption is empty: say what is to be heard, such as 'A dog is barking'.")
    if silent := [caption for caption in captions if not has_words(caption)]:
        raise UserError(
            f"The caption {silent[0]!r} holds no word: say what is to be heard, such as 'A dog is barking'."
        )
    if not len(captions) == len(structured) == len(seeds):
        raise UserError(
            f"{len(captions)} captions, {len(structured)} structured captions and {len(seeds)} seeds do not match: "
            "give one of each for every sound."
        )
