"""The tables of README and docs: each a block between two marked lines, made from records alone."""

import re
from pathlib import Path

import pytest
from made_results import (
    BLOCK,
    NAMES,
    fad,
    place,
    plan_of_project,
    project,
    record,
    write,
    write_fig2a,
    write_table6,
)

from audiolcm.errors import UserError
from experiments.items.catalog import STEMS, item_of
from experiments.records.records import SUMMED_UP
from experiments.rendering.readme import section
from experiments.rendering.render import RESULTS, pages, render, shown

ROOT = Path(__file__).parents[4]


def test_a_page_gets_its_block(tmp_path: Path) -> None:
    write_table6(tmp_path, "esc10")
    write_fig2a(tmp_path, scale="esc10")
    page = project(tmp_path, page=f"# Title\n{place(*NAMES)}rest\n")
    render([], None, tmp_path, root=tmp_path)
    text = page.read_text()
    assert text.startswith(f"# Title\n## {BLOCK}\n<!-- {BLOCK}:begin -->\nScale esc10")
    assert text.endswith(" -->\nrest\n") and "by hand" not in text
    assert "| w/o RoPE | 3 | 14.7" in text and "![FAD against iterations" in text
    assert "**[Table 1" not in text, "nothing was measured"
    render([], None, tmp_path, root=tmp_path)
    assert page.read_text() == text and (tmp_path / "README.md").read_text() == "# Title\n"


def test_links_lead_to_the_same_files_from_every_page(tmp_path: Path) -> None:
    write_fig2a(tmp_path / RESULTS, scale="esc10")
    page = project(tmp_path, readme=place(BLOCK))
    (tmp_path / "docs/results.md").write_text("")
    render([], None, tmp_path / RESULTS, root=tmp_path)
    for path in (tmp_path / "README.md", page):
        links = re.findall(r"\]\(([^)#]+)", path.read_text())
        assert len(links) == 3 and all((path.parent / link).is_file() for link in links), links


def test_claims_of_items_without_records_are_counted_as_on_the_page(tmp_path: Path) -> None:
    write_fig2a(tmp_path, scale="esc10")
    page = project(tmp_path)
    render([], None, tmp_path, root=tmp_path)
    said = re.search(r"Of \d+ claims, [^.]*\.", page.read_text())
    claims = [claim for stem in STEMS for claim in item_of(stem).claims]
    unmeasured = len(claims) - len(item_of("fig2a_solver_k").claims)
    assert said and said[0].startswith(f"Of {len(claims)} claims, ")
    assert said[0].endswith(f" {unmeasured} are not measured.")
    assert f"Scale esc10. {said[0]}" in (tmp_path / "index.html").read_text()
    (named,) = re.findall(r"At the scale esc10 nothing is measured yet of: (.*)\.", page.read_text())
    assert named.split(", ") == [item_of(stem).paper_item for stem in STEMS if stem != "fig2a_solver_k"]


def test_tables_of_evaluations_are_made_from_records(tmp_path: Path) -> None:
    for seed in range(3):
        for row in ("teacher-steps32", "audiolcm-steps2"):
            hits = fad(0.6, key="hit_rate", title="Hit rate", interval=None)
            write(tmp_path, record("fig3_speed", row, seed, fad(3.0 + seed), hits, scale="esc10"))
    page = project(tmp_path)
    render([], None, tmp_path, root=tmp_path)
    text = page.read_text()
    assert (
        "by hand" not in text and text.count("## esc10\n<!-- esc10:begin -->\nMeasured at esc10 scale: ") == 1
    )
    assert "| system | seeds | FAD ↓ | hit rate ↑ |" in text, "columns without figures are not shown"
    assert "| student, 2 steps | 3 | 4.0 \\[1.5, 6.5] N=80/80 | 0.600" in text
    assert "not in the paper" not in text.partition("## esc10")[2]
    assert "code abc1234, on device cpu." in text
    assert "<!-- foley:begin -->\nNo records of it are committed.\n<!-- foley:end -->" in text
    render([], None, tmp_path, root=tmp_path)
    assert page.read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("none", "No page has the block esc10: put the lines <!-- esc10:begin --> and"),
        (place("foley", "summary", "esc10"), "No page has the block results"),
        (
            place(*NAMES) + "<!-- foley:begin -->\n",
            "page.md: blocks need a line <!-- NAME:begin --> and after it",
        ),
        ("<!-- results:end -->\n<!-- results:begin -->\n", "page.md: blocks need a line"),
        ("<!-- results:begin -->\n<!-- esc10:end -->\n", "page.md: blocks need a line"),
        (
            place(*NAMES, "foly"),
            "page.md: there is no block foly. Choose from esc10, foley, results, summary.",
        ),
    ],
)
def test_pages_without_places_are_refused_before_anything_is_written(
    text: str, message: str, tmp_path: Path
) -> None:
    page = project(tmp_path, page=text)
    with pytest.raises(UserError, match=re.escape(message)):
        render([], None, tmp_path / "results", root=tmp_path)
    assert page.read_text() == text and not (tmp_path / "results").exists()


def test_the_words_of_a_page_are_no_markers(tmp_path: Path) -> None:
    words = "A block begins with `<!-- foley:begin -->`, on a line of its own.\n"
    page = project(tmp_path, page=words + place(*NAMES))
    render([], None, tmp_path, root=tmp_path)
    assert page.read_text().startswith(f"{words}## {BLOCK}\n")


def test_readme_and_docs_are_what_the_committed_records_give() -> None:
    plan, results = plan_of_project(), ROOT / RESULTS
    tables = [shown(item_of(stem), SUMMED_UP, results, plan) for stem in STEMS]
    made = pages(ROOT, tables, results, plan)
    assert ROOT / "README.md" in made
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m experiments render`"
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        whole, blocks = (
            path.read_text(encoding="utf-8"),
            re.compile(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", re.DOTALL),
        )
        assert "| seeds |" not in blocks.sub("", whole), f"{path}: a table of results is written by hand"


def test_no_printed_number_is_in_measured_columns(tmp_path: Path) -> None:
    text = section([shown(item_of(stem), "replica", tmp_path, None) for stem in STEMS])
    assert not re.search(r"\d\.\d", text), "without records there is no number"
