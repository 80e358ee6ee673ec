"""The files of a Mechanical Turk task: every trial once, layout and variables that fit, values that are harmless."""

import ast
import csv
import io
import re
from pathlib import Path

import pytest
from answering import OPINION, assignment, make_key, sensible, write_rows

from evaluation import listening
from evaluation.listening.key import ListeningKey
from evaluation.listening.score import score_files
from evaluation.listening.screening import DEFAULT_RULES, ScreeningLimits
from evaluation.listening.turk import _markup, hits_of


def test_only_who_uses_mechanical_turk_loads_it() -> None:
    """At the top of a module nobody imports it; in functions the command line and the reader of answers do."""
    for path in Path(listening.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            assert "turk" not in names and getattr(node, "module", None) != "evaluation.listening.turk", path


def test_hits_deal_every_trial_once_with_a_check_in_each(key: ListeningKey) -> None:
    hits = hits_of(key, 6)
    dealt = [trial.token for _, trials in hits for trial in trials if trial.choose is None]
    assert sorted(dealt) == sorted(trial.token for trial in key.trials if trial.choose is None)
    for question, trials in hits:
        assert {trial.question for trial in trials} == {question.key}
        assert sum(trial.choose is not None for trial in trials) == 1
        assert 5 <= len(trials) <= 7


def test_hit_files_fit_each_other(built: Path, key: ListeningKey) -> None:
    text = (built / "mturk" / "hits.csv").read_bytes().decode("ascii")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    layout = (built / "mturk" / "hit_layout.html").read_text()
    assert set(re.findall(r"\$\{(\w+)\}", layout)) == set(rows[0])
    assert "crowd-form" in layout and "eval(" not in layout
    for row in rows:
        for slot in range(1, sum(name.startswith("clip_") for name in row) + 1):
            if token := row[f"clip_{slot}"]:
                url = row[f"url_{slot}"]
                assert url == f"https://sounds.example.org/a/{key.by_token[token].sound}.flac"
                assert (built / "mturk" / "sounds" / url.rpartition("/")[2]).is_file()
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ('=HYPERLINK("x")', "&#61;HYPERLINK(&quot;x&quot;)"),
        ("-1", "&#45;1"),
        ("+1", "&#43;1"),
        ("@a", "&#64;a"),
        ("caf\u00e9 \U0001f415", "caf&#233; &#128021;"),
        ("<b>", "&lt;b&gt;"),
        ("two\nlines", "two lines"),
        ("", ""),
    ],
)
def test_cells_are_markup_that_no_spreadsheet_computes(text: str, markup: str) -> None:
    assert _markup(text) == markup


def test_workers_who_did_some_hits_each_are_scored_together(tmp_path: Path) -> None:
    """Three workers a HIT, five in all: no worker rates everything, and a check comes again for some."""
    key = make_key()
    key.write(tmp_path / "key.json")
    hits = hits_of(key, 4)
    rows = [
        assignment(trials, f"W{(number + offset) % 5}", 5, sensible)
        for number, (_, trials) in enumerate(hits)
        for offset in range(3)
    ]
    path = write_rows(tmp_path / "batch.csv", rows)
    found = score_files(tmp_path / "key.json", [path], DEFAULT_RULES, ScreeningLimits(), 500, 0)
    assert len(found.screening.used) == 5
    for system, scores in found.systems.items():
        for score in scores:
            assert score.value == OPINION[system]
            assert score.details["num_ratings"] == 3 * score.num_generated
    assert found.agreement["mos_q"] == {"krippendorff_alpha": 1.0, "icc_2_1": None, "icc_2_k": None}
