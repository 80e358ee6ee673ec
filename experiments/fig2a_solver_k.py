"""Figure 2a: how fast the distillation converges for each k of the solver.

Loss and validation distance against iterations. The losses of different k are of different problems (a larger
stride is a harder step); the distance to the end of the teacher's trajectory is one scale for all.
"""

from pathlib import Path
from typing import Any

from audiolcm.training.tracking import read_metrics
from experiments.figure import draw_line, new_figure, save

PANELS = {
    "train/student": "distillation loss",
    "validation/distance_to_teacher": "distance to the teacher's trajectory end (RMS)",
}


class ConvergencePicture:
    """Draws ``fig2a_solver_k.png`` (and .pdf) from the metrics of the finished students of a sweep."""

    def draw(self, folder: Path, rows: list[dict[str, Any]]) -> Path:
        """Draw one line for each finished job; failed jobs are left out and show in the sweep's table."""
        figure, panels = new_figure(len(PANELS))
        finished = [row for row in rows if row["status"] == "done"]
        for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
            for index, row in enumerate(finished):
                metrics = [m for m in read_metrics(Path(row["folder"]) / "metrics.jsonl") if name in m]
                steps = [m["step"] for m in metrics]
                draw_line(axes, index, steps, [m[name] for m in metrics], row["job"].replace("solver.", ""))
            axes.set_xlabel("iterations")
            axes.set_ylabel(title)
            axes.set_yscale("log")
            axes.grid(alpha=0.3)
        panels[0].legend()
        return save(figure, folder / "fig2a_solver_k.png")
