"""How a table or figure of the paper is shown: its columns, its rows, what is compared. One instance a module."""

from collections.abc import Callable
from dataclasses import dataclass

from experiments.judging.claims import Claim
from experiments.judging.sources import PaperColumn, ReadingSource
from experiments.records.records import Result


@dataclass(frozen=True)
class PaperRow:
    """One row of a table.

    Attributes:
        key: of the row in the records.
        label: for people.
        printed: the paper's row in printed.yaml; None for a row that is added here.
        source: where its figures come from, when that depends on the row and not on the column.
        note: what a reader must know of it.
        line: of a point of a figure, the line that it is of.
    """

    key: str
    label: str
    printed: str | None
    source: ReadingSource | None = None
    note: str = ""
    line: str = ""


@dataclass(frozen=True, kw_only=True)
class PaperItem:
    """What a table and a figure have in common.

    Attributes:
        stem: of its module and its file in conf/experiment.
        paper_item: such as "Table 6".
        printed: its name in printed.yaml; None for a table that the paper does not have.
        first_column: heading of the labels.
        notes: what a reader must know of the item.
    """

    stem: str
    paper_item: str = ""
    title: str = ""
    printed: str | None = None
    first_column: str
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableItem(PaperItem):
    """One table."""

    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]


@dataclass(frozen=True, kw_only=True)
class FigureItem(PaperItem):
    """One figure: lines of points, each point one row of the records.

    Attributes:
        line: tells the line that a result is a point of; ``first_column`` says what tells them apart.
        point: words beside a drawn point; None for none.
        told: what tells a point from the others of its line in the table; None where x does.
        x: heading and source of the horizontal axis.
        y: the vertical axis.
    """

    line: Callable[[Result], str]
    x: PaperColumn
    y: PaperColumn
    has_log_x: bool = False
    point: Callable[[Result], str] | None = None
    told: Callable[[Result], str] | None = None

    @property
    def columns(self) -> tuple[PaperColumn, PaperColumn]:
        """Both axes, as columns of its table."""
        return self.x, self.y


Item = TableItem | FigureItem


def first_part(result: Result) -> str:
    """Return a row's name up to its first dash, such as ``audiolcm`` of ``audiolcm-omega4-steps2``."""
    return result.row.partition("-")[0]


def steps_in_words(result: Result) -> str:
    """Return the number of the sampler's steps, such as ``2 steps``."""
    steps = result.facts.get("num_steps", "?")
    return f"{steps} step{'' if steps == 1 else 's'}"
