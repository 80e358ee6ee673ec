"""What the figures share: axes, line styles that also differ without color, one way to save."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by color-blind readers; dashes and markers tell the lines apart in grey.
COLORS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def new_figure(num_panels: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with its panels side by side."""
    figure = Figure(figsize=(5.0 * num_panels, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, num_panels, squeeze=False)[0])


def draw_line(axes: Axes, index: int, x: list[float], y: list[float], label: str) -> None:
    """Draw line number ``index`` in its color, dash and marker."""
    axes.plot(
        x,
        y,
        label=label,
        color=COLORS[index % len(COLORS)],
        linestyle=DASHES[index % len(DASHES)],
        marker=MARKERS[index % len(MARKERS)],
        markersize=4,
        markevery=max(1, len(x) // 8),
    )


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG and, beside it, PDF; return the PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    figure.savefig(path.with_suffix(".pdf"))
    return path
