"""What raters sent: every field is checked, and whatever is wrong is one message that names file and row."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from evaluation.listening.key import ListeningKey
from evaluation.listening.questions import DEVICES, SCALE

PAGE_COLUMNS = (
    "test", "rater", "device", "position", "trials", "question", "trial", "rating", "seconds", "plays", "answered_at",
)  # fmt: skip
"""The header that page.js writes."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One rating: of which rater and trial (its token), after how many seconds, and where it stands."""

    rater: str
    trial: str
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

    def seconds(self, column: str) -> float:
        """Return a column as seconds.

        Raises:
            UserError: It is no finite number of 0 or more.
        """
        try:
            value = float(self[column])
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise UserError(
                f"{self.place}: {column} is {self[column]!r}, no number of seconds. Ask for the file again."
            )
        return value

    def answer(
        self, key: ListeningKey, rater: str, trial: str, rating: str, seconds: float, device: str
    ) -> Answer:
        """Return an answer of this row.

        Raises:
            UserError: The trial is unknown, the rating not on the scale, or the device none of the form's.
        """
        if not rater:
            raise UserError(f"{self.place}: no rater is named. Ask for the file again.")
        if trial not in key.by_token:
            raise UserError(
                f"{self.place}: trial {trial!r} is not in the key: the file was edited, or the key is another."
            )
        for name, value, known in (
            ("rating", rating, tuple(map(str, SCALE))),
            ("device", device, DEVICES),
        ):
            if value not in known:
                raise UserError(f"{self.place}: the {name} {value!r} is none of {', '.join(known)}.")
        return Answer(rater, trial, int(rating), seconds, device, self.place)


def read_answers(paths: Sequence[Path], key: ListeningKey) -> tuple[list[Answer], list[str]]:
    """Return the answers of all files, and what must be told of them.

    Raises:
        UserError: A file holds no answers, belongs to another test or is damaged, or answers come twice.
    """
    answers: list[Answer] = []
    notes: list[str] = []
    for path in paths:
        rows = _read_rows(path)
        columns = rows[0].texts.keys()
        if columns >= set(PAGE_COLUMNS):
            answers += page_answers(path, rows, key)
            continue
        from evaluation.listening import turk  # only who used it needs it

        if not columns >= set(turk.BATCH_COLUMNS):
            raise UserError(
                f"{path} is neither a file that the page let raters download nor a batch of Mechanical Turk: "
                f"its columns are {', '.join(columns)}."
            )
        found, told = turk.batch_answers(path, rows, key)
        answers += found
        notes += told
    _check_rated_once(answers, key)
    return answers, notes


def _read_rows(path: Path) -> list[AnswerRow]:
    """Return the rows of a CSV file.

    Raises:
        UserError: It is missing, no CSV, empty, or a row has not as many fields as the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(f"{path}, row {reader.line_num}", fields) for fields in reader if fields]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the files of answers.") from error
    except (ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is no CSV file in UTF-8, or it is cut off ({error}). Ask for it again."
        ) from error
    if len(rows) < 2:
        raise UserError(f"{path} holds no answers: it has {len(rows)} rows. Ask for it again.")
    (_, head), *others = rows
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
        UserError: It belongs to another test, is not complete, holds two raters, or a field is wrong.
    """
    for row in rows:
        if row["test"] != key.test:
            raise UserError(
                f"{row.place}: an answer of test {row['test']!r}, but the key is of test {key.test}: "
                "give the key.json of the same build."
            )
    raters = sorted({row["rater"] for row in rows})
    if len(raters) > 1:
        raise UserError(f"{path} holds answers of {' and '.join(raters)}: one file a rater, please.")
    answers: dict[str, Answer] = {}
    for row in rows:
        answer = row.answer(
            key, row["rater"], row["trial"], row["rating"], row.seconds("seconds"), row["device"]
        )
        asked = key.by_token[answer.trial].question
        if row["question"] != asked:
            raise UserError(
                f"{row.place}: trial {answer.trial} asked {asked!r}, not {row['question']!r}: the file was edited. "
                f"Ask {answer.rater} to download it again."
            )
        if (first := answers.setdefault(answer.trial, answer)) is not answer:
            raise UserError(
                f"{first.place}: the trial {first.trial} is rated twice in this file. Ask for it again."
            )
    if len(answers) != len(key.trials):
        raise UserError(
            f"{path}: {len(answers)} of {len(key.trials)} ratings: the file is cut off or was edited. "
            f"Ask {raters[0]} to download it again."
        )
    return list(answers.values())


def _check_rated_once(answers: Sequence[Answer], key: ListeningKey) -> None:
    """Refuse two ratings of one trial by one rater; a check of attention may come again in other HITs."""
    seen: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        first = seen.setdefault((answer.rater, answer.trial), answer)
        if first is not answer and key.by_token[answer.trial].choose is None:
            raise UserError(
                f"{answer.place}: rater {answer.rater} has rated this trial already in {first.place}: "
                "the same answers were given twice. Leave one file out."
            )
