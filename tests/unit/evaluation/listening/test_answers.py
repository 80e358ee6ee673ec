"""Answer files: what is read, and one message with file and row for everything that is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from answering import batch_rows, make_key, rows_of, sensible, write_rows

from audiolcm.errors import UserError
from evaluation.listening.answers import read_answers

KEY = make_key()
Rows = list[dict[str, str]]


def test_file_of_the_page(tmp_path: Path) -> None:
    answers, notes = read_answers([write_rows(tmp_path / "a.csv", rows_of(KEY, "ann"))], KEY)
    assert [(one.trial.token, one.rating) for one in answers] == [(t.token, sensible(t)) for t in KEY.trials]
    assert {(one.rater, one.seconds, one.device) for one in answers} == {("ann", 4.0, "headphones")}
    assert notes == []


def test_batch_of_mechanical_turk(tmp_path: Path) -> None:
    rejected = [row | {"AssignmentStatus": "Rejected"} for row in batch_rows(KEY, "W2")]
    path = write_rows(tmp_path / "batch.csv", [*batch_rows(KEY, "W1", work=52), *rejected])
    answers, notes = read_answers([path], KEY)
    assert [(one.trial.token, one.rating) for one in answers] == [(t.token, sensible(t)) for t in KEY.trials]
    assert {(one.rater, one.seconds, one.device) for one in answers} == {("W1", 2.0, "earphones")}
    assert notes == ["1 rejected assignments of batch.csv are left out."]


def test_batch_with_one_column_for_a_rating(tmp_path: Path) -> None:
    (row,) = batch_rows(KEY, "W1")
    plain = {name: text for name, text in row.items() if not name.startswith("Answer.")}
    plain |= {f"Answer.rating_{slot}": str(sensible(trial)) for slot, trial in enumerate(KEY.trials, 1)}
    path = write_rows(tmp_path / "batch.csv", [plain | {"Answer.device": "headphones"}])
    assert [one.rating for one in read_answers([path], KEY)[0]] == [sensible(trial) for trial in KEY.trials]


def changed(row: int, **texts: str) -> Callable[[Rows], Rows]:
    """Row of the file, the header is 1."""
    return lambda rows: [r | texts if number == row else r for number, r in enumerate(rows, 2)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            changed(3, test="ffff"),
            "ann.csv, row 3: an answer of test 'ffff', but the key is of test 0123456789ab",
        ),
        (changed(4, trial="zz99"), "ann.csv, row 4: trial 'zz99' is not in the key"),
        (changed(4, question="beauty"), "ann.csv, row 4: trial "),
        (changed(5, rating="101"), "ann.csv, row 5: the rating '101' is none of 20, 40, 60, 80, 100"),
        (changed(5, rating="0"), "ann.csv, row 5: the rating '0'"),
        (changed(5, rating=""), "ann.csv, row 5: the rating ''"),
        (changed(6, seconds="-1"), "ann.csv, row 6: seconds is '-1', no number of seconds"),
        (changed(6, seconds="nan"), "ann.csv, row 6: seconds is 'nan'"),
        (changed(7, device="ears"), "ann.csv, row 7: the device 'ears'"),
        (changed(7, rater="eve"), "ann.csv holds answers of ann and eve"),
        (changed(3, trial="qu00"), "row 2: the trial qu00 is rated twice"),
        (lambda rows: rows[:-1], "ann.csv: 25 of 26 ratings: the file is cut off"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, spoil: Callable[[Rows], Rows], message: str) -> None:
    path = write_rows(tmp_path / "ann.csv", spoil(rows_of(KEY, "ann")))
    with pytest.raises(UserError) as caught:
        read_answers([path], KEY)
    assert message in str(caught.value)


def test_files_that_are_cut_off_or_no_answers(tmp_path: Path) -> None:
    whole = write_rows(tmp_path / "ann.csv", rows_of(KEY, "ann")).read_bytes()
    lines = whole.splitlines(keepends=True)
    for content, message in (
        (b"".join(lines[:8]) + lines[8][:30], "row 9: 5 fields instead of 11: the file is cut off"),
        (lines[0], "holds no answers: it has 1 rows"),
        (b"", "holds no answers: it has 0 rows"),
        (whole + b'"', "is no CSV file in UTF-8, or it is cut off"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8"),
        (b"a,b\n1,2\n", "its columns are a, b"),
    ):
        path = tmp_path / "spoiled.csv"
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_answers([path], KEY)
    with pytest.raises(UserError, match="cannot be read"):
        read_answers([tmp_path / "absent.csv"], KEY)


def test_two_files_of_one_rater_are_refused(tmp_path: Path) -> None:
    paths = [write_rows(tmp_path / name, rows_of(KEY, "ann")) for name in ("a.csv", "b.csv")]
    with pytest.raises(
        UserError, match=r"b.csv, row 2: rater ann has rated this trial already in .*a.csv, row 2"
    ):
        read_answers(paths, KEY)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"Answer.rating_3.80": "false"}, "row 2: 0 answers to rating_3 instead of one"),
        ({"Answer.rating_3.20": "true"}, "row 2: 2 answers to rating_3 instead of one"),
        ({"Answer.device.earphones": "false"}, "row 2: 0 answers to device"),
        ({"WorkTimeInSeconds": "soon"}, "row 2: WorkTimeInSeconds is 'soon'"),
        ({"Input.clip_2": "zz"}, "row 2: trial 'zz' is not in the key"),
        ({"WorkerId": ""}, "row 2: no rater is named"),
    ],
)
def test_wrong_assignments_are_named(tmp_path: Path, texts: dict[str, str], message: str) -> None:
    (row,) = batch_rows(KEY, "W1")
    with pytest.raises(UserError, match=message):
        read_answers([write_rows(tmp_path / "batch.csv", [row | texts])], KEY)
