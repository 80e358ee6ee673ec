"""How a table or figure of the paper is shown: its columns, its rows, what is compared. One instance a module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from audiolcm.sweeps.row_sweeper import SCALES
from experiments.judging.claims import BETTER, Claim, Side, Test
from experiments.judging.sources import Fact, FirstOf, ScoreKey, Source, Speed
from experiments.records.records import Result

LOWER, HIGHER, NEITHER = "lower", "higher", ""


@dataclass(frozen=True)
class Column:
    """One column: what the paper prints there and what is measured for it.

    Attributes:
        name: of the paper's column in printed.yaml; None for one that only we have: it is shown where it was measured.
        better: "lower", "higher" or "".
        sources: where its measured figures come from, by scale; a scale without one has no measured figures.
    """

    title: str
    name: str | None
    better: str
    sources: Mapping[str, Source]


def everywhere(source: Source) -> dict[str, Source]:
    """Return the same source at both scales."""
    return dict.fromkeys(SCALES, source)


def scored(metric: str, paper: str, small: tuple[str, ...] = ("yamnet", "embedded")) -> dict[str, Source]:
    """Return the scores of a metric: ``paper`` at the paper's scale, at the others those of the first of ``small``."""
    first = FirstOf(tuple(ScoreKey(f"{metric}_{network}") for network in small))
    return everywhere(first) | {"paper": ScoreKey(paper)}


NFE = Column("NFE", "nfe", LOWER, everywhere(Fact(("nfe",))))
FAD = Column("FAD", "fad", LOWER, scored("fad", "fad_vggish"))
KL = Column("KL", "kl", LOWER, scored("kl", "kl_panns"))
RTF = Column("RTF", "rtf", LOWER, everywhere(Speed()))
RTF_WARM = Column("RTF warm", None, LOWER, everywhere(Speed(is_warm=True)))


def by_fad_and_kl(sentence: str, first: Side, second: Side, test: Test = BETTER) -> tuple[Claim, Claim]:
    """Return a claim of quality by FAD, and by KL, which the paper's tables print beside it."""
    fad, kl = (Claim(sentence, first, second, by.title, by.better, by.sources, test) for by in (FAD, KL))
    return fad, kl


@dataclass(frozen=True)
class Line:
    """One row of a table.

    Attributes:
        row: of the records.
        label: for people.
        printed: the paper's row in printed.yaml; None for a row that is added here.
        source: where its figures come from, when that depends on the row and not on the column.
        note: what a reader must know of it.
    """

    row: str
    label: str
    printed: str | None
    source: Source | None = None
    note: str = ""


@dataclass(frozen=True)
class TableItem:
    """One table.

    Attributes:
        stem: of its module and its file in conf/experiment.
        paper_item: such as "Table 6".
        printed: its name in printed.yaml; None for a table that the paper does not have.
        first_column: heading of the labels.
        notes: what a reader must know of the item.
    """

    stem: str
    paper_item: str
    title: str
    printed: str | None
    first_column: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self, row: str) -> Line | None:
        """Return the line of a row; None when it is not the paper's and was not added."""
        return next((line for line in self.lines if line.row == row), None)


@dataclass(frozen=True)
class FigureItem:
    """One figure: lines of points, each point one row of the records.

    Attributes:
        printed: what it is called among the figures of printed.yaml.
        line: tells the line that a result is a point of; ``line_title`` says what tells them apart.
        point: words beside a drawn point; None for none.
        told: what tells a point from the others of its line in the table; None where x does.
        x: heading and source of the horizontal axis.
        y: the vertical axis.
    """

    stem: str
    paper_item: str
    title: str
    printed: str
    line_title: str
    line: Callable[[Result], str]
    x: Column
    y: Column
    has_log_x: bool = False
    point: Callable[[Result], str] | None = None
    told: Callable[[Result], str] | None = None
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()


Item = TableItem | FigureItem


def first_part(result: Result) -> str:
    """Return a row's name up to its first dash, such as ``audiolcm`` of ``audiolcm-omega4-steps2``."""
    return result.row.partition("-")[0]


def steps_in_words(result: Result) -> str:
    """Return the number of the sampler's steps, such as ``2 steps``."""
    steps = result.facts.get("num_steps", "?")
    return f"{steps} step{'' if steps == 1 else 's'}"
