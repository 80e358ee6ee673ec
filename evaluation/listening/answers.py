"""What raters sent: every field is checked, and whatever is wrong is one message that names file and row."""

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from evaluation.listening.key import ListeningKey, ListeningTrial
from evaluation.listening.questions import DEVICES, SCALE

PAGE_COLUMNS = (
    "test", "rater", "device", "position", "trials", "question", "trial", "rating", "seconds", "plays", "answered_at",
)  # fmt: skip
"""The header that page.js writes."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One rating by one rater: of which trial, after how many seconds, and where it stands."""

    rater: str
    trial: ListeningTrial
    rating: int
    seconds: float
    device: str
    place: str


@dataclasses.dataclass(frozen=True)
class AnswerRow:
    """A row of a CSV file by column; ``place`` names file and row (the header is row 1)."""

    texts: dict[str, str]
    place: str

    def __getitem__(self, column: str) -> str:
        return self.texts[column]

    def error(self, message: str) -> UserError:
        """Return what to raise about this row."""
        return UserError(f"{self.place}: {message}")

    def seconds(self, column: str) -> float:
        """Return a column as seconds; UserError where it is no finite number of 0 or more."""
        text = self[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise self.error(f"{column} is {text!r}, no number of seconds. Ask for the file again.")
        return value

    def answer(
        self, key: ListeningKey, rater: str, token: str, rating: str, seconds: float, device: str
    ) -> Answer:
        """Return an answer of this row.

        Raises:
            UserError: the trial is unknown, the rating not on the scale, or the device none of the form's.
        """
        if not rater:
            raise self.error("no rater is named. Ask for the file again.")
        if token not in key.by_token:
            raise self.error(
                f"trial {token!r} is not in the key: the file was edited, or the key is another."
            )
        if rating not in map(str, SCALE):
            raise self.error(f"the rating {rating!r} is none of {', '.join(map(str, SCALE))}.")
        if device not in DEVICES:
            raise self.error(f"the device {device!r} is none of {', '.join(DEVICES)}.")
        return Answer(rater, key.by_token[token], int(rating), seconds, device, self.place)


def read_answers(paths: Sequence[Path], key: ListeningKey) -> tuple[list[Answer], list[str]]:
    """Return the answers of all files, and what must be told of them.

    Raises:
        UserError: a file holds no answers, belongs to another test or is damaged, or answers come twice.
    """
    answers: list[Answer] = []
    notes: list[str] = []
    for path in paths:
        rows = _read_rows(path)
        columns = rows[0].texts.keys()
        if columns >= set(PAGE_COLUMNS):
            answers += page_answers(path, rows, key)
            continue
        from evaluation.listening import turk  # an optional part

        if not columns >= set(turk.BATCH_COLUMNS):
            raise UserError(
                f"{path} is neither a file that the page let raters download nor a batch of Mechanical Turk: "
                f"its columns are {', '.join(columns)}."
            )
        found, told = turk.batch_answers(path, rows, key)
        answers += found
        notes += told
    _check_rated_once(answers)
    return answers, notes


def _read_rows(path: Path) -> list[AnswerRow]:
    """Return the rows of a CSV file.

    Raises:
        UserError: it is missing, no CSV, empty, or a row has not as many fields as the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(f"{path}, row {reader.line_num}", fields) for fields in reader if fields]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the files of answers.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is no CSV file in UTF-8, or it is cut off ({error}). Ask for it again."
        ) from error
    if len(lines) < 2:
        raise UserError(f"{path} holds no answers: it has {len(lines)} rows. Ask for it again.")
    (_, head), *others = lines
    for place, fields in others:
        if len(fields) != len(head):
            raise UserError(
                f"{place}: {len(fields)} fields instead of {len(head)}: the file is cut off or was edited. "
                "Ask for it again."
            )
    return [AnswerRow(dict(zip(head, fields, strict=True)), place) for place, fields in others]


def page_answers(path: Path, rows: Sequence[AnswerRow], key: ListeningKey) -> list[Answer]:
    """Return the answers of a file of the page: one rater, every trial once.

    Raises:
        UserError: it belongs to another test, is not complete, holds two raters, or a field is wrong.
    """
    for row in rows:
        if row["test"] != key.test:
            raise row.error(
                f"an answer of test {row['test']!r}, but the key is of test {key.test}: "
                "give the key.json of the same build."
            )
    raters = sorted({row["rater"] for row in rows})
    if len(raters) > 1:
        raise UserError(f"{path} holds answers of {' and '.join(raters)}: one file a rater, please.")
    again = f"Ask {raters[0]} to download it again."
    answers: dict[str, Answer] = {}
    for row in rows:
        token, seconds = row["trial"], row.seconds("seconds")
        answer = row.answer(key, raters[0], token, row["rating"], seconds, row["device"])
        if row["question"] != answer.trial.question:
            asked = f"asked {answer.trial.question!r}, not {row['question']!r}"
            raise row.error(f"trial {token} {asked}: the file was edited. {again}")
        if token in answers:
            place = answers[token].place
            raise UserError(f"{place}: the trial {token} is rated twice in this file. Ask for it again.")
        answers[token] = answer
    if len(answers) != len(key.trials):
        ratings = f"{len(answers)} of {len(key.trials)} ratings"
        raise UserError(f"{path}: {ratings}: the file is cut off or was edited. {again}")
    return list(answers.values())


def _check_rated_once(answers: Sequence[Answer]) -> None:
    """Refuse two ratings of one trial by one rater; a check of attention may come again in other HITs."""
    first: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        one = first.setdefault((answer.rater, answer.trial.token), answer)
        if one is not answer and answer.trial.choose is None:
            raise UserError(
                f"{answer.place}: rater {answer.rater} has rated this trial already in {one.place}: "
                "the same answers were given twice. Leave one file out."
            )
