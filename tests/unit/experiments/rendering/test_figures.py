"""Figures: lines, error bars and marks, read back from the axes."""

from pathlib import Path

import numpy as np
import pytest
from made_results import fad, jobs, record, write, write_fig2a, write_fig3
from matplotlib import cbook
from matplotlib.axes import Axes

from experiments.items.catalog import item_of
from experiments.items.plotting import COLORS, new_figure
from experiments.records.records import read_results
from experiments.rendering.figures import curves, draw, draw_on
from experiments.rendering.shown import ShownTable, show

FIG2A = "fig2a_solver_k"


def shown(folder: Path, stem: str, **more: object) -> ShownTable:
    return show(item_of(stem), read_results(folder, stem, "replica", **more))


def drawn(table: ShownTable) -> Axes:
    _, (axes,) = new_figure(1)
    draw_on(axes, table, table.item, curves(table, table.item))
    return axes


def named(axes: Axes) -> dict[str, object]:
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_lines_are_the_means_at_their_steps(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    axes = drawn(shown(tmp_path, FIG2A))
    lines = named(axes)
    assert list(lines) == ["k = 1", "k = 20", "k = 50"]
    assert list(lines["k = 20"].get_xdata()) == [400, 800, 1200]
    seeds = np.arange(3)
    expected = [(40 - 2.0 * (i + 1) + 0.2 * seeds + 0.01 * seeds**2 * i).mean() for i in range(3)]
    np.testing.assert_allclose(lines["k = 20"].get_ydata(), expected)
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
    assert len(styles) == 3 and {style[0] for style in styles} <= set(COLORS)
    # Told apart in grey
    assert len({style[1] for style in styles}) == 3 and len({style[2] for style in styles}) == 3
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("iterations", "FAD")
    assert "YAMNet" in axes.get_title()


def test_error_bars_are_the_intervals(tmp_path: Path) -> None:
    write_fig2a(tmp_path, ks=(20,))
    table = shown(tmp_path, FIG2A)
    (bars,) = drawn(table).containers
    (collection,) = bars.lines[2]
    ends = [tuple(segment[:, 1]) for segment in collection.get_segments()]
    np.testing.assert_allclose(ends, [row.cells[1].interval for row in table.rows])


def drawn_at(line: object) -> np.ndarray:
    """Where the points of a line are in the picture, in points (1/72 inch)."""
    figure = line.axes.figure
    figure.canvas.draw()
    return line.get_transform().transform(line.get_xydata()) / figure.dpi * 72


def test_lines_that_share_x_are_drawn_side_by_side(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    axes = drawn(shown(tmp_path, FIG2A))
    lines = named(axes)
    places = [drawn_at(line)[:, 0] for line in lines.values()]
    np.testing.assert_allclose(places[1] - places[0], 4.0, atol=1e-6)
    np.testing.assert_allclose(places[2] - places[1], 4.0, atol=1e-6)
    for line, bars in zip(lines.values(), axes.containers, strict=True):
        (collection,) = bars.lines[2]
        own = [collection.get_transform().transform(s)[0, 0] for s in collection.get_segments()]
        np.testing.assert_allclose(np.array(own) / axes.figure.dpi * 72, drawn_at(line)[:, 0], atol=1e-6)
    assert "side by side" in axes.get_title()


def test_measured_x_are_drawn_where_they_are(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    axes = drawn(shown(tmp_path, "fig3_speed"))
    for line in named(axes).values():
        found = drawn_at(line)
        expected = axes.transData.transform(line.get_xydata()) / axes.figure.dpi * 72
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert "side by side" not in axes.get_title()


@pytest.mark.parametrize("stem", [FIG2A, "fig3_speed"])
def test_all_points_and_error_bars_are_in_the_picture(stem: str, tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    write_fig3(tmp_path)
    axes = drawn(shown(tmp_path, stem))
    found = np.concatenate([drawn_at(line) for line in named(axes).values()])
    low, high = axes.get_window_extent().get_points() / axes.figure.dpi * 72
    assert (found > low).all() and (found < high).all()
    assert np.ptp(found[:, 0]) > 0.6 * (high - low)[0]
    ends = np.concatenate([s for bars in axes.containers for s in bars.lines[2][0].get_segments()])
    bottom, top = axes.get_ylim()
    assert bottom < ends[:, 1].min() and ends[:, 1].max() < top
    assert np.ptp(ends[:, 1]) > 0.6 * (top - bottom)


@pytest.mark.parametrize("stem", [FIG2A, "fig3_speed"])
def test_the_legend_hides_no_point(stem: str, tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    write_fig3(tmp_path)
    axes = drawn(shown(tmp_path, stem))
    axes.figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 >= axes.get_window_extent().x1 and legend.x1 <= axes.figure.bbox.x1


def test_one_seed_has_its_own_interval(tmp_path: Path) -> None:
    write_fig2a(tmp_path, ks=(20,), seeds=1)
    (bars,) = drawn(shown(tmp_path, FIG2A)).containers
    assert np.ptp(bars.lines[2][0].get_segments()[0][:, 1]) == pytest.approx(2.0)


def test_points_with_missing_seeds_or_stale_records_are_hollow(tmp_path: Path) -> None:
    write_fig2a(tmp_path, ks=(20,), seeds=2)
    planned = jobs("k20-step400", "k20", seeds=2) + jobs("k20-step800", "k20-step1000", seeds=3)

    def changes(content: dict, job: object) -> list[str]:
        return ["old"] if content["row"] == "k20" else []

    table = shown(tmp_path, FIG2A, planned=planned, changes=changes)
    axes = drawn(table)
    (hollow,) = [line for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    assert list(hollow.get_xdata()) == [800, 1200] and "hollow" in axes.get_title()
    assert any(
        note.startswith("Missing: k20-step800 (seed 2)") or "k20-step1000" in note for note in table.notes
    )


def test_a_refused_point_is_not_drawn(tmp_path: Path) -> None:
    write_fig2a(tmp_path)
    for seed in range(3):
        facts = {"k": 20, "step": 800, "train_steps": 1200}
        write(tmp_path, record(FIG2A, "k20-step800", seed, fad(1.0, num_generated=3), facts=facts))
    table = shown(tmp_path, FIG2A)
    assert list(named(drawn(table))["k = 20"].get_xdata()) == [400, 1200]
    assert any("refused, not measured as the other rows (N: 80/80 / 3/80)" in note for note in table.notes)


def test_speed_has_a_logarithmic_axis_and_a_line_for_each_system(tmp_path: Path) -> None:
    write_fig3(tmp_path)
    axes = drawn(shown(tmp_path, "fig3_speed"))
    assert axes.get_xscale() == "log" and list(named(axes)) == ["AudioLCM", "Teacher"]
    np.testing.assert_allclose(named(axes)["AudioLCM"].get_xdata(), [0.011, 0.021, 0.041])
    assert [text.get_text() for text in axes.texts] == ["1", "2", "4", "10", "25", "50"]


def test_a_dollar_sign_is_shown_as_it_is(tmp_path: Path) -> None:
    for row, k in (("k1", "$\\alpha$"), ("k2", 2)):
        write(tmp_path, record(FIG2A, row, 0, fad(9.0), facts={"k": k, "step": 400}))
    axes = drawn(shown(tmp_path, FIG2A))
    axes.figure.canvas.draw()
    for text in axes.get_legend().get_texts():
        assert not cbook.is_math_text(text.get_text())
    names = {text.get_text().replace("\\$", "$") for text in axes.get_legend().get_texts()}
    assert names == {"k = $\\alpha$", "k = 2"}


def test_guidance_is_drawn_against_the_scale(tmp_path: Path) -> None:
    for omega in (0.0, 4.0, 8.0):
        for steps in (1, 2, 8):
            facts = {"omega": omega, "num_steps": steps}
            row = f"audiolcm-omega{omega:g}-steps{steps}"
            write(tmp_path, record("fig2b_guidance", row, 0, fad(10 + omega), facts=facts))
    lines = named(drawn(shown(tmp_path, "fig2b_guidance")))
    assert list(lines) == ["1 step", "2 steps", "8 steps"]
    assert list(lines["2 steps"].get_xdata()) == [1.0, 5.0, 9.0]


@pytest.mark.parametrize("steps", ["\u00b2", "\u0663", "2 of 3", ""])
def test_any_text_of_a_record_names_a_line(steps: str, tmp_path: Path) -> None:
    facts = {"omega": 4.0, "num_steps": steps}
    write(tmp_path, record("fig2b_guidance", "audiolcm-omega4-steps2", 0, fad(10.0), facts=facts))
    assert list(named(drawn(shown(tmp_path, "fig2b_guidance")))) == [f"{steps} steps"]


def test_files_are_written_and_are_the_same_again(tmp_path: Path) -> None:
    write_fig2a(tmp_path, ks=(20,))
    table = shown(tmp_path, FIG2A)
    first, second = (draw(table, tmp_path / name / "a.png") for name in ("one", "two"))
    for suffix, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        content = first.with_suffix(suffix).read_bytes()
        assert content.startswith(start) and content == second.with_suffix(suffix).read_bytes()
    assert draw(shown(tmp_path / "none", FIG2A), tmp_path / "c.png") is None
