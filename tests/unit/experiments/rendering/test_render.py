"""``render``: all files of all items, the page that holds everything, the W&B run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_results import (
    FADS,
    NAMES,
    Job,
    fad,
    place,
    project,
    record,
    write,
    write_fig2a,
    write_table6,
)

from audiolcm.errors import UserError
from audiolcm.training.wandb_service import WandbTracker
from experiments.__main__ import main
from experiments.items.catalog import STEMS
from experiments.rendering.render import RESULTS, Plan, render

ROOT = Path(__file__).parents[3]


def test_every_item_gets_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table6(tmp_path)
    write_fig2a(tmp_path)
    assert render([], None, tmp_path) == 0
    said = capsys.readouterr().out
    assert "table6_backbone (replica): 4 of 4 rows measured" in said
    assert "table1_audiocaps (replica): 0 of 11 rows measured" in said
    names = {path.name for path in (tmp_path / "replica").iterdir()}
    expected = {f"{stem}.{suffix}" for stem in STEMS for suffix in ("md", "tex", "csv")}
    assert names == expected | {"fig2a_solver_k.png", "fig2a_solver_k.pdf"}
    assert not (tmp_path / "paper").exists(), "nothing was measured there"


def test_one_item_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    write_table6(tmp_path)
    write_fig2a(tmp_path)
    render([], None, tmp_path)
    (tmp_path / "replica/table6_backbone.md").write_text("mine")
    render(["fig2a_solver_k"], "replica", tmp_path)
    assert (tmp_path / "replica/table6_backbone.md").read_text() == "mine"
    assert 'id="replica-table6_backbone"' in (tmp_path / "index.html").read_text(), "the page has all items"


def test_a_figure_whose_records_are_gone_is_removed(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    render(["fig2a_solver_k"], None, tmp_path)
    for path in (tmp_path / "records/replica/fig2a_solver_k").iterdir():
        path.unlink()
    render(["fig2a_solver_k"], None, tmp_path)
    assert not list((tmp_path / "replica").glob("*.p*"))


def test_both_scales_are_kept_apart(tmp_path: Path) -> None:
    write_table6(tmp_path)
    score = fad(1.7, key="fad_vggish", extractor={"name": "vggish"})
    write(tmp_path, record("table6_backbone", "full", 0, score, scale="paper"))
    render(["table6_backbone"], None, tmp_path)
    paper = (tmp_path / "paper/table6_backbone.md").read_text()
    assert "measured (paper scale: esc10)" in paper and "another task" not in paper
    assert "11.0" not in paper and "1.70" not in (tmp_path / "replica/table6_backbone.md").read_text()


def test_plan_and_changes_reach_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table6(tmp_path)
    asked = []

    def planned(stem: str, scale: str) -> list[Job]:
        asked.append((stem, scale))
        return [Job(row, seed) for row in FADS for seed in range(4)] if stem == "table6_backbone" else []

    render(["table6_backbone"], None, tmp_path, Plan(planned, lambda content, job: ["code changed"]))
    text = (tmp_path / "replica/table6_backbone.md").read_text()
    assert "| 3 of 4, stale |" in text and " and 9 more are stale: code changed." in text
    assert "4 stale" in capsys.readouterr().out
    assert set(asked) == {(stem, "replica") for stem in STEMS}


@pytest.mark.parametrize(("names", "scale"), [(["table9"], None), ([], "huge")])
def test_unknown_names_are_one_message(tmp_path: Path, names: list[str], scale: str | None) -> None:
    with pytest.raises(UserError, match="There is no"):
        render(names, scale, tmp_path)
    assert not list(tmp_path.iterdir())


def test_tables_and_figures_go_to_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    write_table6(tmp_path)
    write_fig2a(tmp_path)
    render(
        ["table6_backbone", "table5_hyperparameters", "fig2a_solver_k"],
        None,
        tmp_path,
        tracker=WandbTracker(),
    )
    found = {}
    for path in tmp_path.glob("wandb/offline-run-*/files/media/table/*.table.json"):
        found[path.name.rpartition("_")[0].rpartition("_")[0]] = json.loads(path.read_text())
    assert found.keys() == {
        "table6_backbone", "table6_backbone_claims", "table5_hyperparameters", "fig2a_solver_k", "fig2a_solver_k_claims"
    }  # fmt: skip
    table = found["table6_backbone"]
    rows = [dict(zip(table["columns"], line, strict=True)) for line in table["data"]]
    assert rows[1]["variant"] == "w/o RoPE" and rows[1]["FAD ↓ paper"] == "1.80" and rows[1]["seeds"] == "3"
    assert rows[1]["FAD ↓ measured"] == pytest.approx(14.7) and rows[1]["FAD ↓ N"] == "N=80/80"
    assert found["table5_hyperparameters"]["data"][0][2] is None
    assert list(tmp_path.glob("wandb/offline-run-*/files/media/images/fig2a_solver_k_picture_*.png"))


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("experiments.running.collect.planned", lambda stem, scale: [])
    monkeypatch.setattr(
        "experiments.rendering.render.planned", lambda stem, scale: [Job("full", seed) for seed in range(4)]
    )
    monkeypatch.setattr("experiments.running.freshness.Freshness.__call__", lambda self, content, job: [])
    monkeypatch.chdir(tmp_path)
    write_table6(tmp_path / RESULTS, "esc10")
    project(tmp_path, readme=place(*NAMES))
    cut = [
        Path(".README.md.0123abcd.partial"),
        RESULTS / ".index.html.0123abcd.partial",
        RESULTS / "esc10/.x.tex.0.partial",
        Path("docs/.page.md.0123abcd.partial"),
    ]
    for file in [*cut, Path(".other.partial")]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert main(["render", "table6_backbone"]) == 0
    assert not any(file.exists() for file in cut) and Path(".other.partial").exists()
    assert not (tmp_path / RESULTS / ".lease").exists()
    assert "| AudioLCM | 3 of 4 | 11.0" in Path("README.md").read_text()
    assert (tmp_path / RESULTS / "esc10/table6_backbone.tex").exists()
    for page in ("README.md", "docs/page.md"):
        Path(page).write_text("kept")
    write_table6(tmp_path / "other")
    assert main(["render", "table6_backbone", "--results", "other", "--scale", "replica"]) == 0
    assert Path("README.md").read_text() == "kept" and (tmp_path / "other/index.html").exists()
    assert main(["render"]) == 1 and "esc10:begin" in capsys.readouterr().err
    assert main(["render", "table9"]) == 1 and "There is no table or figure table9" in capsys.readouterr().err


def test_elsewhere_than_in_the_project_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["render"]) == 1
    words = capsys.readouterr().err
    assert f"There is no folder {RESULTS} in {tmp_path}." in words
    assert "project's root" in words and "--results FOLDER --runs FOLDER" in words
    assert main(["render", "--results", "new", "--runs", "none"]) == 1
    assert "There is no folder none." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert main(["render", "--results", "new", "table6_backbone"]) == 0
    assert (tmp_path / "new/index.html").exists()


def test_command_line_of_other_commands_stays_light() -> None:
    code = "import sys, experiments.__main__; sys.exit('matplotlib' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
