"""Answers: one form for those of the page and those of Mechanical Turk; every field is checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from evaluation.listening.answer import Answer, answer
from evaluation.listening.key import Key
from evaluation.listening.lines import Line, read_lines, seconds
from evaluation.listening.turk_answers import batch_answers, is_batch

PAGE_COLUMNS = (
    "test", "rater", "device", "position", "trials", "question", "trial", "rating", "seconds", "plays", "answered_at",
)  # fmt: skip
"""The header that page.js writes."""


def read_answers(paths: Sequence[Path], key: Key) -> tuple[list[Answer], list[str]]:
    """Return the answers of all files, and what must be told of them.

    Raises:
        UserError: when a file is none of answers, belongs to another test, is damaged, or answers come twice.
    """
    answers: list[Answer] = []
    notes: list[str] = []
    for path in paths:
        lines = read_lines(path)
        if set(PAGE_COLUMNS) <= lines[0].texts.keys():
            answers += page_answers(path, lines, key)
        elif is_batch(lines[0]):
            found, told = batch_answers(path, lines, key)
            answers += found
            notes += told
        else:
            raise UserError(
                f"{path} is neither a file that the page let raters download nor a batch of Mechanical Turk: "
                f"its columns are {', '.join(lines[0].texts)}."
            )
    rated_once(answers, key)
    return answers, notes


def page_answers(path: Path, lines: Sequence[Line], key: Key) -> list[Answer]:
    """Return the answers of a file of the page: one rater, every trial once.

    Raises:
        UserError: when it belongs to another test, is not complete, holds two raters, or a field is wrong.
    """
    for line in lines:
        if line["test"] != key.test:
            raise UserError(
                f"{line.place}: an answer of test {line['test']!r}, but the key is of test {key.test}: "
                "give the key.json of the same build."
            )
    raters = sorted({line["rater"] for line in lines})
    if len(raters) > 1:
        raise UserError(f"{path} holds answers of {' and '.join(raters)}: one file a rater, please.")
    for line in lines:
        trial = key.by_token.get(line["trial"])
        if trial is not None and line["question"] != trial.question:
            raise UserError(
                f"{line.place}: trial {line['trial']} asked {trial.question!r}, not {line['question']!r}: the file was "
                f"edited. Ask {raters[0]} to download it again."
            )
    answers = [
        answer(
            line["rater"], line["trial"], line["rating"], seconds(line, "seconds"), line["device"], line.place, key
        )
        for line in lines
    ]  # fmt: skip
    if len({one.trial for one in answers}) != len(answers):
        twice = next(one for one in answers if [other.trial for other in answers].count(one.trial) > 1)
        raise UserError(
            f"{twice.place}: the trial {twice.trial} is rated twice in this file. Ask for it again."
        )
    if len(answers) != len(key.trials):
        raise UserError(
            f"{path}: {len(answers)} of {len(key.trials)} ratings: the file is cut off or was edited. "
            f"Ask {raters[0]} to download it again."
        )
    return answers


def rated_once(answers: Sequence[Answer], key: Key) -> None:
    """Raise UserError when a rater rated a trial twice; a check of attention may come again in other HITs."""
    seen: dict[tuple[str, str], Answer] = {}
    for one in answers:
        if key.by_token[one.trial].choose is not None:
            continue
        first = seen.setdefault((one.rater, one.trial), one)
        if first is not one:
            raise UserError(
                f"{one.place}: rater {one.rater} has rated this trial already in {first.place}: "
                "the same answers were given twice. Leave one file out."
            )
