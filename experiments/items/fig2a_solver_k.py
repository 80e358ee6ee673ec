"""Figure 2a: how fast the distillation converges for each k of the solver.

``ITEM`` is the paper's figure, FAD against iterations, from snapshots that were evaluated. ``ConvergencePicture`` is
drawn at the end of the training sweep: loss and validation distance. The losses of different k are of different
problems (a larger stride is a harder step); the distance to the end of the teacher's trajectory is one scale for all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiolcm.training.tracking import read_metrics
from experiments.items.columns import FAD, NEITHER, everywhere
from experiments.items.item import FigureItem, first_part
from experiments.items.plotting import draw_line, new_figure, save
from experiments.judging.claims import Claim, FigurePoint
from experiments.judging.sources import Fact, PaperColumn
from experiments.records.records import Result

PANELS = {
    "train/student": "distillation loss",
    "validation/distance_to_teacher": "distance to the teacher's trajectory end (RMS)",
}

STEP = Fact(("step", "train_steps"))  # a record without a snapshot is of the end
FASTER = "The multi-step solver converges significantly faster than the one-step solver."


def line(result: Result) -> str:
    """Return k in words."""
    k = result.facts.get("k")
    return first_part(result) if k is None else f"k = {k}"


def _claim(sentence: str, better: int, worse: int, part: float, when: str) -> Claim:
    first, second = (FigurePoint(f"k = {k} {when}", {"k": k}, step=STEP, part=part) for k in (better, worse))
    return Claim(sentence, first, second, FAD)


ITEM = FigureItem(
    stem="fig2a_solver_k",
    paper_item="Figure 2a",
    title="FAD against iterations of the distillation for each k of the solver",
    printed="figure2a",
    first_column="k",
    line=line,
    x=PaperColumn("iterations", None, NEITHER, everywhere(STEP)),
    y=FAD,
    claims=(
        _claim(FASTER, 20, 1, 0.5, "half way"),
        _claim("Increasing k from 1 to 20 improves performance.", 20, 1, 1.0, "at the end"),
        _claim("A larger k, such as 50, may be suboptimal.", 20, 50, 1.0, "at the end"),
    ),
)


class ConvergencePicture:
    """Draws ``fig2a_solver_k.png`` (and .pdf) from the metrics of the finished students of a sweep."""

    def draw(self, folder: Path, rows: list[dict[str, Any]]) -> Path:
        """Draw one line for each k, the mean of its finished seeds; failed jobs show in the sweep's table."""
        figure, panels = new_figure(len(PANELS))
        lines: dict[str, list[Path]] = {}
        for row in (row for row in rows if row["status"] == "done"):
            lines.setdefault(row["job"].rpartition("-seed")[0] or row["job"], []).append(Path(row["folder"]))
        for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
            for index, (line_name, folders) in enumerate(lines.items()):
                steps, values = _mean_course([folder / "metrics.jsonl" for folder in folders], name)
                draw_line(axes, index, steps, values, line_name.replace("solver.", ""))
            axes.set(xlabel="iterations", ylabel=title, yscale="log")
            axes.grid(alpha=0.3)
        if lines:
            panels[0].legend()
        return save(figure, folder / "fig2a_solver_k.png")


def _mean_course(files: Sequence[Path], name: str) -> tuple[list[float], list[float]]:
    """Return the steps at which every file has a metric, and its means there."""
    courses = [{m["step"]: m[name] for m in read_metrics(file) if name in m} for file in files]
    steps = sorted(set.intersection(*(set(course) for course in courses)))
    return steps, [sum(course[step] for course in courses) / len(courses) for step in steps]
