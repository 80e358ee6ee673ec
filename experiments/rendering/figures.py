"""A figure of the paper drawn from its shown points."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.items.item import FigureItem
from experiments.items.plotting import Dot, draw_dots, new_figure, plain, save
from experiments.rendering.shown import STALE, ShownTable

APART = 4.0
"""Points (1/72 inch) between lines that share their x."""
SIDE_BY_SIDE = "\nlines are drawn side by side: their points share x"
HOLLOW = "\nhollow: stale, or fewer seeds than planned"


def curves(table: ShownTable, item: FigureItem) -> dict[str, list[Dot]]:
    """Return the points of each line; a row without both coordinates is none."""
    lines: dict[str, list[Dot]] = {}
    for row in table.rows:
        x, y = row.cells
        if x.value is not None and y.value is not None:
            words = item.point(row.results[0]) if item.point and row.results else ""
            is_marked = STALE in row.marks or " of " in row.seeds
            lines.setdefault(row.line, []).append(Dot(x.value, y.value, y.interval, is_marked, words))
    return {label: sorted(dots, key=lambda dot: dot.x) for label, dots in lines.items()}


def draw(table: ShownTable, path: Path) -> Path | None:
    """Draw a figure as PNG and PDF and return the PNG; None when there is nothing to draw."""
    if not isinstance(table.item, FigureItem) or not (lines := curves(table, table.item)):
        return None
    figure, (axes,) = new_figure(1)
    draw_on(axes, table, table.item, lines)
    return save(figure, path)


def draw_on(axes: Axes, table: ShownTable, item: FigureItem, lines: dict[str, list[Dot]]) -> None:
    """Draw all lines, axes and legend."""
    places = [x for dots in lines.values() for x in {dot.x for dot in dots}]
    apart = APART if len(set(places)) < len(places) else 0.0  # else error bars would hide each other
    for index, (label, dots) in enumerate(lines.items()):
        draw_dots(axes, index, dots, label, apart * (index - (len(lines) - 1) / 2))
    if item.has_log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))  # 0.01, not a power
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=plain(item.x.title), ylabel=plain(item.y.title))
    hollow = any(dot.is_marked for dots in lines.values() for dot in dots)
    words = f"{table.measured}{SIDE_BY_SIDE if apart else ''}{HOLLOW if hollow else ''}"
    axes.set_title(plain(words), fontsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))  # outside, where it hides no point
