"""The command `score`: figures, the file of results, the table, and what it says instead of a table."""

import json
import re
from pathlib import Path

import pytest
from answering import OPINION, batch_rows, make_key, rows_of, sensible, write_rows

from evaluation.listening.__main__ import main
from evaluation.listening.key import ListeningTrial
from evaluation.record import Score

KEY = make_key()


@pytest.fixture
def key_path(tmp_path: Path) -> Path:
    KEY.write(tmp_path / "key.json")
    return tmp_path / "key.json"


def milder(trial: ListeningTrial) -> int:
    """Rates what is not perfect a step higher."""
    return trial.choose or min(100, OPINION[trial.system] + 20)


def careless(trial: ListeningTrial) -> int:
    return 60


def test_figures_file_and_table(key_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        write_rows(tmp_path / f"{name}.csv", rows_of(KEY, name, rates))
        for name, rates in (("ann", sensible), ("bob", milder), ("eve", careless))
    ]
    files.append(write_rows(tmp_path / "batch.csv", batch_rows(KEY, "W1")))
    output = tmp_path / "results" / "table1.json"
    assert main(["score", str(key_path), *map(str, files), "-o", str(output)]) == 0
    found = json.loads(output.read_text())
    assert found["format_version"] == 1 and found["test"] == KEY.test
    assert found["raters"]["used"] == 3 and found["raters"]["screened"] == 1
    assert found["raters"]["rules"]["attention"] == found["raters"]["rules"]["straight_lining"] == 1
    assert list(found["systems"]) == ["ours", "theirs", "reference", "low_anchor"]
    expected = {"ours": 260 / 3, "theirs": 140 / 3, "reference": 100.0, "low_anchor": 80 / 3}
    for system, scores in found["systems"].items():
        assert [score["key"] for score in scores] == ["mos_q", "mos_f"]
        for content in scores:
            score = Score(**content)  # what renders the tables reads them so
            assert score.value == pytest.approx(expected[system])
            assert score.better == "higher"
            assert score.num_generated == (1 if system == "low_anchor" else 3)
            assert score.details["num_raters"] == 3
    low, high = found["systems"]["ours"][0]["interval"]
    # Raters 80, 80, 100: no clip differs, and draws of one rater alone come
    assert (low, high) == (80.0, 100.0)
    assert found["systems"]["low_anchor"][0]["interval"] is None
    assert found["agreement"]["mos_q"]["icc_2_1"] == pytest.approx(0.8, abs=0.1)
    text = output.read_text() + capsys.readouterr().out
    assert "ann" not in text and "W1" not in text, "raters are counted, never named"


def test_table_says_what_was_done(key_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write_rows(tmp_path / f"{name}.csv", rows_of(KEY, name)) for name in ("ann", "bob")]
    assert main(["score", str(key_path), *map(str, files)]) == 0
    table = capsys.readouterr().out
    assert "**Tones: mean opinion, 20 to 100**" in table
    assert re.search(r"\| ours +\| 80.0 \[80.0, 80.0\] N=3 \| 80.0 \[80.0, 80.0\] N=3 \|", table), table
    assert table.index("| reference") < table.index("| *sanity rows*") < table.index("| low_anchor")
    assert "2 raters used, 0 screened out (attention 0, anchors 0," in table
    assert "percentile bootstrap over raters and clips" in table
    assert main(["score", str(key_path), str(files[0])]) == 0
    table = capsys.readouterr().out
    assert (
        "percentile bootstrap" not in table and "ours, MOS-Q: no interval: 1 rater(s) and 3 clip(s)." in table
    )


def test_everybody_screened_out_is_said(
    key_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(tmp_path / "eve.csv", rows_of(KEY, "eve", careless))
    assert main(["score", str(key_path), str(path)]) == 1
    assert "All 1 raters were screened out (attention 1, straight_lining 1)" in capsys.readouterr().err
    assert main(["score", str(key_path), str(path), "--rules", "none"]) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{}", "is not the key of a listening test"),
        ("[1", "is not the key of a listening test"),
        ('{"format_version": 99}', "has format 99: upgrade"),
    ],
)
def test_keys_that_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "key.json").write_text(content)
    assert main(["score", str(tmp_path / "key.json"), "a.csv"]) == 1
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "python -m evaluation.listening build ..."),
        (("audiolcm listening",), "usage: audiolcm listening [-h]"),
    ],
)
def test_help_calls_the_program_as_it_was_called(
    capsys: pytest.CaptureFixture[str], more: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"], *more)
    assert said in " ".join(capsys.readouterr().out.split())
