"""What the figures share: axes, line styles that also differ without color, error bars, one way to save."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

# Okabe and Ito's palette, told apart by color-blind readers; dashes and markers tell the lines apart in grey.
COLORS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def new_figure(num_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with its panels side by side."""
    figure = Figure(figsize=(5.0 * num_panels, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, num_panels, squeeze=False)[0])


def plain(text: str) -> str:
    r"""Return text that matplotlib shows as it is: a dollar sign begins no formula."""
    return text.replace("$", r"\$")


def _style(index: int) -> dict[str, Any]:
    """Return color, dash and marker of line number ``index``."""
    kinds = {"color": COLORS, "linestyle": DASHES, "marker": MARKERS}
    return {name: values[index % len(values)] for name, values in kinds.items()}


def draw_line(axes: Axes, index: int, x: Sequence[float], y: Sequence[float], label: str) -> None:
    """Draw line number ``index`` in its color, dash and marker."""
    axes.plot(x, y, label=plain(label), markersize=4, markevery=max(1, len(x) // 8), **_style(index))


@dataclass(frozen=True)
class Dot:
    """One point with its 95% interval and words beside it; ``is_marked`` draws it hollow."""

    x: float
    y: float
    interval: tuple[float, float] | None = None
    is_marked: bool = False
    words: str = ""


def draw_dots(axes: Axes, index: int, dots: Sequence[Dot], label: str, shift: float = 0.0) -> None:
    """Draw line number ``index`` through its points, with error bars where they have intervals.

    Args:
        axes: where it is drawn.
        index: of the line, which gives its color, marker and dash.
        dots: its points.
        label: its name in the legend.
        shift: how many points (1/72 inch) to the right of its place it is drawn.
    """
    place = axes.transData + ScaledTranslation(shift / 72, 0.0, axes.figure.dpi_scale_trans)
    axes.update_datalim([(dot.x, end) for dot in dots for end in (dot.y, *(dot.interval or ()))])
    axes.autoscale_view()  # matplotlib itself makes no room for what is drawn beside its place
    common = _style(index) | {"markersize": 5, "transform": place}
    color = common["color"]
    axes.plot([dot.x for dot in dots], [dot.y for dot in dots], label=plain(label), **common)
    words: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": color}
    for dot in dots:
        axes.annotate(plain(dot.words), (dot.x, dot.y), (5 + shift, 4), **words)
    if barred := [(dot.x, dot.y, *dot.interval) for dot in dots if dot.interval is not None]:
        x, y, low, high = np.transpose(barred)
        bars = {
            "yerr": np.maximum((y - low, high - y), 0.0),
            "fmt": "none",
            "ecolor": color,
            "transform": place,
        }
        axes.errorbar(x, y, elinewidth=1.0, capsize=2.5, **bars)
    if hollow := [(dot.x, dot.y) for dot in dots if dot.is_marked]:
        axes.plot(*np.transpose(hollow), **common | {"linestyle": "none", "markerfacecolor": "white"})


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG and, beside it, PDF; return the PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    # The same figure is the same file
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None})
    return path
