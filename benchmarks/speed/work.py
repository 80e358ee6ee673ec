"""What a case gives to be timed: an endless loop that tells when each unit of it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audiolcm.distributed.hardware import Hardware

Stages = Mapping[str, float]
Tick = Callable[[Stages], None]
"""Is called after each unit of work, with the seconds of its stages where it has some; an exception of it ends all."""


@dataclass(frozen=True)
class Work:
    """Work that can be repeated for ever.

    Args:
        loop: does unit after unit, and calls its argument after each.
        hardware: what it runs on, and in which precision.
        flops: floating-point operations of a unit, a multiply-add is 2; None: they are counted in the first unit.
        sound: seconds of sound that a unit makes.
        warm_up: units that are not timed.
    """

    loop: Callable[[Tick], object]
    hardware: Hardware
    flops: float | None = None
    sound: float = 0.0
    warm_up: int = 2


def repeated(unit: Callable[[], Stages | None]) -> Callable[[Tick], object]:
    """Return the loop that calls ``unit`` again and again."""

    def loop(tick: Tick) -> None:
        while True:
            tick(unit() or {})

    return loop
