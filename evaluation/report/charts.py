"""The drawings of the report as inline SVG: no text inside, so that they stretch with the page."""

from collections.abc import Sequence

from audiolcm.pages.html import Html, element, joined
from evaluation.record import Score, Timing
from evaluation.tables.table import cell, decimals

REST = "other"
"""What the total has beyond the stages."""


def whisker(score: Score, sanity: Sequence[tuple[str, float]]) -> Html:
    """Draw value and interval on the range that they span with zero and with the same score of the sanity rows."""
    shown = cell(score)
    ends = [0.0, shown.value, *(shown.interval or ()), *(value for _, value in sanity)]
    low, high = min(ends), max(ends)
    span = high - low or 1.0

    def at(value: float) -> str:
        return f"{2 + 96 * (value - low) / span:.2f}%"

    ticks = [element("line", x1=at(value), x2=at(value), y1=6, y2=22, class_="tick") for _, value in sanity]
    interval = None
    if shown.interval is not None:
        start, end = map(at, shown.interval)
        interval = element("line", x1=start, x2=end, y1=14, y2=14, class_="interval")
    axis = element("line", x1="2%", x2="98%", y1=14, y2=14, class_="axis")
    dot = element("circle", cx=at(shown.value), cy=14, r=5, class_="value")
    label = "; ".join([" ".join(shown.figures), *(f"{name} {_short(value)}" for name, value in sanity)])
    picture = {"role": "img", "aria_label": label, "width": "100%", "height": 28}
    drawing = element("svg", axis, *ticks, interval, dot, **picture)
    return joined(drawing, _ends(score.better, low, high))


def _ends(better: str, low: float, high: float) -> Html:
    """Write the numbers at the ends of the axis, and on which side better is."""
    left, right = _short(low), _short(high)
    if better == "lower":
        left += " ← better"
    elif better == "higher":
        right = f"better → {right}"
    return element("div", element("span", left), element("span", right), class_="ends", aria_hidden="true")


def _short(value: float) -> str:
    return f"{value:.{decimals(value)}f}"


def stage_seconds(timing: Timing) -> dict[str, float]:
    """Return the median seconds of each stage, and of the rest of the total where there is one."""
    stages = {name: figures["median"] for name, figures in timing.stages.items()}
    rest = timing.total["median"] - sum(stages.values())
    return stages | ({REST: rest} if rest > 0 else {})


def stage_bar(timing: Timing, slowest: float, order: Sequence[str]) -> Html:
    """Draw the stages as parts of one bar whose length is the RTF of the batch.

    Args:
        timing: of the stages.
        slowest: the RTF of 100%.
        order: the stages of all bars, which gives each its color.
    """
    seconds = stage_seconds(timing)
    scale = 100 * (timing.rtf_total / slowest if slowest > 0 else 0) / (sum(seconds.values()) or 1.0)
    bars, left = [], 0.0
    for name, duration in seconds.items():
        width = duration * scale
        place = {"x": f"{left:.2f}%", "width": f"{width:.2f}%", "y": 0, "height": 22}
        bars.append(element("rect", **place, class_=stage_class(name, order)))
        left += width
    label = ", ".join(f"{name} {duration * 1000:.4g} ms" for name, duration in seconds.items())
    return element("svg", *bars, role="img", aria_label=label, width="100%", height=22, class_="stages")


def stage_class(name: str, order: Sequence[str]) -> str:
    """Return the class that colors a stage."""
    return f"stage-{order.index(name) % 6}"
