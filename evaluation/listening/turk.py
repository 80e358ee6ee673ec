"""Mechanical Turk: the test as its HITs, and the answers of its batches. Only whoever asks there needs this module.

One HIT asks one question about several sounds and has one check of attention. Values of variables go into the layout
as they are, so that they are markup here: escaped, and ASCII alone, as Mechanical Turk refuses signs of four bytes.
"""

import csv
import dataclasses
import html
import itertools
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.pages.html import Html, element, joined
from audiolcm.storage.files import atomic_path
from audiolcm.text_tables import FORMULA
from evaluation.listening.answers import Answer, AnswerRow
from evaluation.listening.key import ListeningKey, ListeningTrial
from evaluation.listening.page import CONSENT, filled, radio
from evaluation.listening.questions import DEVICES, SCALE, Question

LAYOUT_NAME, HITS_NAME, SOUNDS_NAME = "hit_layout.html", "hits.csv", "sounds"
BATCH_COLUMNS = ("HITId", "WorkerId", "AssignmentStatus", "WorkTimeInSeconds", "Input.clip_1")
"""By these the results of a batch are known, as requesters download them."""
_CLIP = "Input.clip_"
_BASE_URL = re.compile(r"https://[^\s\"'<>]+")


@dataclasses.dataclass(frozen=True)
class TurkTask:
    """Where the sounds will lie, and how many are rated in one HIT (besides one check).

    Raises:
        UserError: the address is not https, or the number below 1.
    """

    base_url: str
    clips_per_hit: int = 10

    def __post_init__(self) -> None:
        if _BASE_URL.fullmatch(self.base_url) is None:
            raise UserError(
                f"--mturk {self.base_url}: give the https address of the folder that you will upload the sounds to, "
                "such as https://my-bucket.s3.amazonaws.com/listening (workers' browsers refuse http)."
            )
        if self.clips_per_hit < 1:
            raise UserError(f"--clips-per-hit {self.clips_per_hit} must be 1 or more.")

    def write(self, key: ListeningKey, sounds: Mapping[str, bytes], folder: Path) -> None:
        """Write layout, variables and sounds (FLAC files by token) into the folder."""
        hits = hits_of(key, self.clips_per_hit)
        layout = _layout(max(len(trials) for _, trials in hits))
        with atomic_path(folder / LAYOUT_NAME) as temporary:
            temporary.write_text(layout, encoding="ascii", newline="")
        rows = [self._variables(question, trials) for question, trials in hits]
        with atomic_path(folder / HITS_NAME) as temporary:
            with temporary.open("w", encoding="ascii", newline="") as file:
                writer = csv.DictWriter(file, max(rows, key=len))  # of fewer sounds the last cells stay empty
                writer.writeheader()
                writer.writerows(rows)
        for token, sound in sounds.items():
            with atomic_path(folder / SOUNDS_NAME / f"{token}.flac") as temporary:
                temporary.write_bytes(sound)

    def _variables(self, question: Question, trials: Sequence[ListeningTrial]) -> dict[str, str]:
        """Return the variables of a HIT; the layout's script removes slots whose variables are empty."""
        found = {"heading": question.heading, "question": question.text}
        found |= {f"label_{rating}": label for rating, label in zip(SCALE, question.labels, strict=True)}
        for slot, trial in enumerate(trials, start=1):
            found |= {
                f"clip_{slot}": trial.token,
                f"url_{slot}": f"{self.base_url.rstrip('/')}/{trial.sound}.flac",
                f"kind_{slot}": f"{trial.kind}:" if trial.shown else "",
                f"shown_{slot}": trial.shown,
            }
        return {name: _markup(text) for name, text in found.items()}


def hits_of(key: ListeningKey, clips_per_hit: int) -> list[tuple[Question, list[ListeningTrial]]]:
    """Deal the trials of each question, shuffled, to HITs of about one size; checks are used in turn."""
    draws = random.Random(key.seed)
    hits = []
    for question in key.questions:
        trials = [trial for trial in key.trials if trial.question == question.key]
        dealt = [trial for trial in trials if trial.choose is None]
        checks = itertools.cycle([trial for trial in trials if trial.choose is not None])
        draws.shuffle(dealt)
        count = -(-len(dealt) // clips_per_hit)
        for number in range(count):
            hit = dealt[number::count]
            if (check := next(checks, None)) is not None:
                hit.insert(draws.randint(0, len(hit)), check)
            hits.append((question, hit))
    return hits


def _markup(text: str) -> str:
    """Return text as ASCII markup that no spreadsheet computes."""
    escaped = html.escape(" ".join(text.split())).encode("ascii", "xmlcharrefreplace").decode()
    return f"&#{ord(escaped[0])};{escaped[1:]}" if FORMULA.match(escaped) else escaped


def _layout(num_slots: int) -> str:
    """Return the HIT layout: paste it into the design of a project, "Edit source"."""
    devices = joined(*(radio("device", name, name) for name in DEVICES))
    return filled(
        "turk.html", consent=CONSENT, devices=devices, slots=joined(*map(_slot, range(1, num_slots + 1)))
    )


def _slot(slot: int) -> Html:
    ratings = [radio(f"rating_{slot}", rating, f"{rating} ${{label_{rating}}}") for rating in SCALE]
    return element(
        "div",
        element("h3", f"Sound {slot}"),
        element("p", element("b", f"${{kind_{slot}}}"), f" ${{shown_{slot}}}"),
        element("audio", src=f"${{url_{slot}}}", controls=True, preload="auto", aria_label=f"Sound {slot}"),
        element("fieldset", element("legend", f"Your rating of sound {slot}"), *ratings, disabled=True),
        class_="slot",
        data_clip=f"${{clip_{slot}}}",
    )


def batch_answers(path: Path, rows: Sequence[AnswerRow], key: ListeningKey) -> tuple[list[Answer], list[str]]:
    """Return the answers of the assignments that were not rejected, and a note on those that were.

    The seconds of an answer are the assignment's by the number of its sounds: more is not known.

    Raises:
        UserError: a field is wrong or a sound was not rated.
    """
    kept = [row for row in rows if row["AssignmentStatus"] != "Rejected"]
    answers = [answer for row in kept for answer in _assignment(row, key)]
    left_out = len(rows) - len(kept)
    return answers, [f"{left_out} rejected assignments of {path.name} are left out."] if left_out else []


def _assignment(row: AnswerRow, key: ListeningKey) -> list[Answer]:
    clips = {name: token for name, token in row.texts.items() if name.startswith(_CLIP) and token}
    seconds = row.seconds("WorkTimeInSeconds") / max(1, len(clips))
    device = _chosen(row, "device", DEVICES)
    answers = []
    for name, token in clips.items():
        rating = _chosen(row, name.replace(_CLIP, "rating_"), SCALE)
        answers.append(row.answer(key, row["WorkerId"], token, rating, seconds, device))
    return answers


def _chosen(row: AnswerRow, name: str, options: Sequence[object]) -> str:
    """Return what was chosen of radio buttons.

    ``crowd-form`` makes a column of each button, such as ``Answer.rating_1.40`` = true; plain forms make one column.
    """
    if plain := row.texts.get(f"Answer.{name}", ""):
        return plain
    pressed = {column for column, text in row.texts.items() if text.lower() == "true"}
    chosen = [str(option) for option in options if f"Answer.{name}.{option}" in pressed]
    if len(chosen) != 1:
        raise UserError(
            f"{row.place}: {len(chosen)} answers to {name} instead of one: reject this assignment, or repair the file."
        )
    return chosen[0]
