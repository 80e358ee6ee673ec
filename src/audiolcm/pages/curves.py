"""The figures of a training over its steps, drawn as inline SVG."""

import math
from collections.abc import Mapping, Sequence

from audiolcm.pages.html import Html, element

_WIDTH, _HEIGHT, _MARGIN = 600, 120, 4
_MOST_POINTS = 400
_WIDE = 30.0
"""From the largest to the smallest of only positive values: from here on the axis is logarithmic."""


def curves(rows: Sequence[Mapping[str, float | int]]) -> list[Html]:
    """Return a picture of each figure in the rows of a metrics file that has two values or more."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step" and math.isfinite(value):
                points.setdefault(name, []).append((int(row["step"]), float(value)))
    return [_curve(name, found) for name, found in points.items() if len({step for step, _ in found}) > 1]


def _curve(name: str, points: Sequence[tuple[int, float]]) -> Html:
    """Draw one figure; every nth point where there are more than the eye can tell apart, and always the last."""
    stride = math.ceil(len(points) / _MOST_POINTS)
    shown = [*points[:-1:stride], points[-1]]
    steps, values = zip(*shown, strict=True)
    low, high = min(values), max(values)
    is_logarithmic = low > 0 and high > _WIDE * low
    heights = [math.log(value) for value in values] if is_logarithmic else values
    line = " ".join(
        f"{x:.1f},{_HEIGHT - y:.1f}"
        for x, y in zip(_spread(steps, _WIDTH), _spread(heights, _HEIGHT), strict=True)
    )
    drawing = element(
        "svg",
        element("polyline", points=line, class_="curve"),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{name} from {values[0]:.4g} to {values[-1]:.4g}",
    )
    scale = ", logarithmic" * is_logarithmic
    words = (f"{low:.4g} to {high:.4g}{scale}", f"at the end {values[-1]:.4g}")
    ends = (f"step {steps[0]}", f"{steps[-1]}")
    return element(
        "figure",
        element("figcaption", element("b", name)),
        drawing,
        element("p", *(element("span", text) for text in ends), class_="ends"),
        element("p", *(element("span", text) for text in words), class_="ends"),
        class_="plot",
    )


def _spread(values: Sequence[float | int], length: int) -> list[float]:
    """Return the values on an axis of that length; in its middle where all are one."""
    low, high = min(values), max(values)
    span = high - low
    inner = length - 2 * _MARGIN
    return [_MARGIN + inner * ((value - low) / span if span else 0.5) for value in values]
