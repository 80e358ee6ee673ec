"""The picture of a sweep from metrics on disk, and the table that stands beside it."""

import json
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from audiolcm.storage.run_folder import read_result
from audiolcm.sweeps.summary import markdown
from experiments.items.fig2a_solver_k import ConvergencePicture, _mean_course


def finished(folder: Path, k: int) -> dict[str, object]:
    folder.mkdir(parents=True)
    rows = [{"step": s, "train/student": 1.0 / (s + k)} for s in range(1, 50)]
    rows += [{"step": s, "validation/distance_to_teacher": 2.0 / (s + k)} for s in range(10, 50, 10)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"job": f"solver.k={k}", "status": "done", "folder": str(folder), "figures": rows[48] | rows[-1]}


def test_picture_holds_a_line_for_each_finished_job(tmp_path: Path) -> None:
    rows = [finished(tmp_path / str(k), k) for k in (1, 20)]
    failed = {"job": "solver.k=3", "status": "failed", "error": "does not divide"}
    two = imread(ConvergencePicture().draw(tmp_path / "two", [*rows, failed]))
    one = imread(ConvergencePicture().draw(tmp_path / "one", rows[:1]))
    assert two.shape == one.shape
    assert (tmp_path / "two/fig2a_solver_k.pdf").exists()
    assert np.abs(two - one).max() > 0.5


def test_seeds_of_one_k_are_one_line_at_their_mean(tmp_path: Path) -> None:
    files = []
    for seed, value in enumerate((1.0, 3.0)):
        files.append(tmp_path / f"{seed}.jsonl")
        files[-1].write_text(
            "".join(json.dumps({"step": s, "loss": value * s}) + "\n" for s in range(1, 4 + seed))
        )
    assert _mean_course(files, "loss") == ([1, 2, 3], [2.0, 4.0, 6.0])


def test_table_shows_figures_and_failures() -> None:
    table = markdown(
        [
            {"job": "solver.k=1", "status": "done", "folder": "f", "figures": {"train/student": 0.25}},
            {"job": "solver.k=3", "status": "failed", "error": "does | not\ndivide"},
        ]
    )
    lines = table.splitlines()
    assert "| solver.k=1 | 0.2500 |" in lines[2]
    assert lines[3].endswith("failed: does / not divide |")
    assert len({line.count("|") for line in lines}) == 1


def test_a_damaged_result_counts_as_none(tmp_path: Path) -> None:
    assert read_result(tmp_path) == {}
    for content in (b'{"status": "do', b"[1]", b"\xff\xfe"):
        (tmp_path / "result.json").write_bytes(content)
        assert read_result(tmp_path) == {}
    (tmp_path / "result.json").write_text('{"status": "done"}')
    assert read_result(tmp_path) == {"status": "done"}
