"""The results of a batch, as Mechanical Turk lets requesters download them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audiolcm.errors import UserError
from evaluation.listening.answer import Answer, answer
from evaluation.listening.key import Key
from evaluation.listening.lines import Line, seconds
from evaluation.listening.questions import DEVICES, SCALE

_COLUMNS = ("HITId", "WorkerId", "AssignmentStatus", "WorkTimeInSeconds", "Input.clip_1")
_REJECTED = "Rejected"


def is_batch(line: Line) -> bool:
    """Return whether the row is of such a file, made with our layout."""
    return set(_COLUMNS) <= line.texts.keys()


def batch_answers(path: Path, lines: Sequence[Line], key: Key) -> tuple[list[Answer], list[str]]:
    """Return the answers of the assignments that were not rejected, and a note on those that were.

    The seconds of an answer are the assignment's by the number of its sounds: more is not known.

    Raises:
        UserError: when a field is wrong or a sound was not rated.
    """
    kept = [line for line in lines if line["AssignmentStatus"] != _REJECTED]
    answers = [one for line in kept for one in _assignment(line, key)]
    left_out = len(lines) - len(kept)
    return answers, [f"{left_out} rejected assignments of {path.name} are left out."] if left_out else []


def _assignment(line: Line, key: Key) -> list[Answer]:
    slots = [
        name.removeprefix("Input.clip_")
        for name, token in line.texts.items()
        if name.startswith("Input.clip_") and token
    ]
    worked = seconds(line, "WorkTimeInSeconds") / max(1, len(slots))
    device = _chosen(line, "device", DEVICES)
    answers = []
    for slot in slots:
        rating = _chosen(line, f"rating_{slot}", tuple(map(str, SCALE)))
        token = line[f"Input.clip_{slot}"]
        answers.append(answer(line["WorkerId"], token, rating, worked, device, line.place, key))
    return answers


def _chosen(line: Line, name: str, options: Sequence[str]) -> str:
    """Return what was chosen of radio buttons.

    ``crowd-form`` makes a column of each button, such as ``Answer.rating_1.40`` = true; plain forms make one column.
    """
    if plain := line.texts.get(f"Answer.{name}", ""):
        return plain
    buttons = [
        option for option in options if line.texts.get(f"Answer.{name}.{option}", "").lower() == "true"
    ]
    if len(buttons) != 1:
        raise UserError(
            f"{line.place}: {len(buttons)} answers to {name} instead of one: reject this assignment, or mend the file."
        )
    return buttons[0]
