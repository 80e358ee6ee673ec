"""How time grows: a line through the measured points, a picture of both, the slope in words."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.speed.results import Result, folder_of

AXES = {
    "seconds": ("seconds of sound", "second of sound"),
    "batch": ("at once", "one more at once"),
    "steps": ("steps", "step"),
    "size": ("GFLOP", "TFLOP"),
}
"""What is written at each axis, and the unit of its slope."""


def points(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Return places on the axis and median seconds; a size stands at its arithmetic."""
    is_size = result.axis == "size"
    places = [one.flops / 1e9 if is_size else getattr(one.case, result.axis) for one in result.measured]
    return np.array(places, dtype=float), np.array([one.median for one in result.measured])


def slope_in_words(result: Result) -> str:
    """Return what a unit more costs, and what does not depend on it."""
    x, seconds = points(result)
    if len(x) < 2:
        return "One point has no slope."
    slope, start = np.polyfit(x, seconds, 1)
    doubled = np.polyfit(np.log(x), np.log(seconds), 1)[0]
    each = slope * (1000 if result.axis == "size" else 1)
    return (
        f"{each:.3g} s for each {AXES[result.axis][1]}, and {max(start, 0):.3g} s whatever it is; twice as much takes "
        f"{2**doubled:.2f} times as long."
    )


def draw(result: Result, results: Path) -> Path:
    """Draw the points and the line beside the result, and return the picture's path."""
    x, seconds = points(result)
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.plot(x, seconds, "o")
    if len(x) > 1:
        axes.plot(x, np.polyval(np.polyfit(x, seconds, 1), x), "-", color="0.6")
    if result.axis == "size":
        for one, here, high in zip(result.measured, x, seconds, strict=True):
            axes.annotate(one.case.size, (here, high), xytext=(4, -10), textcoords="offset points")
    axes.set(
        xlabel=AXES[result.axis][0], ylabel="seconds", title=result.title, xlim=(0, None), ylim=(0, None)
    )
    path = folder_of(result, results) / f"{result.file_stem}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path
