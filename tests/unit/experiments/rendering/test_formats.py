"""Markdown, LaTeX and CSV of the same table: what they hold, and names that cannot break them."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from made_results import (
    FADS,
    HOSTILE,
    PROTOCOL,
    fad,
    jobs,
    record,
    write,
    write_fig2a,
    write_fig3,
    write_table6,
)

from experiments.items.catalog import item_of
from experiments.records.records import read_results
from experiments.rendering.formats import CSV_COLUMNS, csv_text, latex, markdown
from experiments.rendering.shown import ShownTable, show

STEM = "table6_backbone"


def shown(folder: Path, stem: str = STEM, **more: object) -> ShownTable:
    return show(item_of(stem), read_results(folder, stem, "replica", **more))


def hostile(folder: Path) -> ShownTable:
    """A table whose protocol, notes and provenance are untrusted, and whose row has a name that is."""
    for row in ("full", "without_rope"):
        change = {"notes": [HOSTILE], "provenance": {"command": "=cmd|' /C calc'!A0", "code": HOSTILE}}
        write(folder, record(STEM, row, 0, fad(10.0), protocol=PROTOCOL | {"title": HOSTILE}, **change))
    table = shown(folder)
    return replace(table, rows=(replace(table.rows[0], label=HOSTILE), *table.rows[1:]))


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)[1:-1]


def test_markdown_has_measured_beside_printed(tmp_path: Path) -> None:
    write_table6(tmp_path)
    text = markdown(shown(tmp_path, planned=jobs(*FADS, seeds=4)))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    head = [cell.strip() for cell in cells(lines[0])]
    assert head[:4] == [
        "variant",
        "seeds",
        "FAD ↓, measured (replica: esc10, YAMNet)",
        "FAD ↓, paper",
    ]
    found = [cell.strip() for cell in cells(lines[2])]
    assert found[:4] == ["AudioLCM", "3 of 4", r"11.0 \[8.5, 13.5] N=80/80", "1.67"]
    assert "Student's t over 3 training seeds" in text and "another task than the paper's" in text
    assert "| cannot be told |" in text and "does not hold (the opposite)" in text


def test_markdown_of_untrusted_names_keeps_its_shape(tmp_path: Path) -> None:
    text = markdown(hostile(tmp_path))
    assert "<script" not in text.replace(r"\<script", "")
    table = [line for line in text.splitlines() if line.startswith("|")][:6]
    assert {len(cells(line)) for line in table} == {6}


def test_latex_is_balanced_and_has_booktabs(tmp_path: Path) -> None:
    write_table6(tmp_path)
    for text in (latex(shown(tmp_path)), latex(hostile(tmp_path / "other"))):
        body = [line for line in text.splitlines() if not line.startswith("%")]
        joined = "\n".join(body)
        plain = re.sub(r"\\[\\{}$%_&#]", "", joined)
        assert plain.count("{") == plain.count("}") and plain.count("$") % 2 == 0
        assert all(
            f"\\{rule}" in joined for rule in ("toprule", "midrule", "bottomrule", "cmidrule(lr){3-4}")
        )
        assert body[0] == r"\begin{tabular}{llrrrr}" and body[-1] == r"\end{tabular}"
        rows = body[body.index(r"\midrule") + 1 : body.index(r"\bottomrule")]
        assert len(rows) == 4 and all(row.endswith(r" \\") for row in rows)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {5}


def test_csv_has_all_digits_and_where_they_come_from(tmp_path: Path) -> None:
    write_table6(tmp_path)
    found = pd.read_csv(io.StringIO(csv_text(shown(tmp_path))))
    assert tuple(found.columns) == CSV_COLUMNS and len(found) == 8
    row = found[(found["row"] == "without_rope") & (found["column"] == "FAD ↓")].iloc[0]
    assert row["measured"] == pytest.approx(14.7, abs=1e-12) and row["paper"] == 1.8
    assert row["low"] < row["measured"] < row["high"] and row["N generated"] == 80
    assert row["per seed"] == '{"0": 14.0, "1": 14.5, "2": 15.6}'
    assert (row["code"], row["hardware"], row["settings"]) == ("abc1234", "device cpu", "aa11")


def test_csv_without_records_has_no_measured_figure(tmp_path: Path) -> None:
    for stem in (STEM, "table1_audiocaps", "table5_hyperparameters"):
        found = pd.read_csv(io.StringIO(csv_text(shown(tmp_path, stem))))
        assert (
            found[["measured", "text", "low", "high", "per seed"]].replace("{}", None).isna().all(axis=None)
        )
        assert found["paper"].notna().any()


def test_no_spreadsheet_computes_a_cell(tmp_path: Path) -> None:
    found = pd.read_csv(io.StringIO(csv_text(hostile(tmp_path))))
    texts = found.select_dtypes("object").stack()
    assert not texts.str.startswith(("=", "+", "-", "@")).any()
    assert texts.str.contains("cmd").any(), "the command was lost"


def test_points_of_a_figure_are_a_table_too(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    table = shown(tmp_path, "fig2a_solver_k")
    found = pd.read_csv(io.StringIO(csv_text(table)))
    points = found.pivot_table(index="row", columns="column", values="measured")
    assert points.loc["k20", "iterations"] == 1200 and points.loc["k1-step400", "iterations"] == 400
    assert [row.label for row in table.rows] == ["k = 1"] * 3 + ["k = 20"] * 3 + ["k = 50"] * 3
    assert "The paper: k = 1 converges slowest" in markdown(table)


def test_points_that_x_does_not_name_have_their_steps_in_the_label(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    labels = [row.label for row in shown(tmp_path, "fig3_speed").rows]
    assert labels == [
        "AudioLCM, 1 step", "AudioLCM, 2 steps", "AudioLCM, 4 steps",
        "Teacher, 10 steps", "Teacher, 25 steps", "Teacher, 50 steps",
    ]  # fmt: skip
    facts = {"num_steps": 2, "nfe": 2}
    for seed in range(3):
        odd = record("fig3_speed", "audiolcm-steps2", seed, fad(1.0, num_generated=3), facts=facts)
        write(tmp_path, odd)
    for text in (markdown, latex, csv_text):
        assert "AudioLCM, 2 steps" in text(shown(tmp_path, "fig3_speed"))
    notes = shown(tmp_path, "fig3_speed").notes
    assert any(note.startswith("AudioLCM, 2 steps, FAD ↓: refused, not measured") for note in notes)


def test_points_that_are_not_measured_are_told_apart_by_their_names(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    planned = jobs("audiolcm-steps1", "audiolcm-steps8", "teacher-steps100")
    labels = [row.label for row in shown(tmp_path, "fig3_speed", planned=planned).rows]
    assert {"AudioLCM, 1 step", "audiolcm-steps8", "teacher-steps100"} < set(labels)
    assert len(set(labels)) == len(labels)


def test_a_note_on_one_point_of_a_line_names_its_row(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    facts = {"k": 20, "step": 800, "train_steps": 1200}
    write(tmp_path, record("fig2a_solver_k", "k20-step800", 0, fad(1.0, num_generated=3), facts=facts))
    notes = shown(tmp_path, "fig2a_solver_k").notes
    assert any(note.startswith("k = 20 (k20-step800), FAD ↓: refused, seeds 0 and 1") for note in notes)
