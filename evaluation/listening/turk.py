"""Mechanical Turk: the test as its HITs, and the answers of its batches. Only whoever asks there needs this module.

One HIT asks one question about several sounds and has one check of attention. Values of variables go into the layout
as they are, so that they are markup here: escaped, and ASCII alone, as Mechanical Turk refuses signs of four bytes.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import itertools
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.files import atomic_path
from audiolcm.pages.html import Html, asset, element, joined
from audiolcm.text_tables import FORMULA
from evaluation.listening.answers import Answer, AnswerRow
from evaluation.listening.key import ListeningKey, ListeningTrial
from evaluation.listening.page import CONSENT, PACKAGE, radio
from evaluation.listening.questions import DEVICES, SCALE, Question

LAYOUT_NAME, HITS_NAME, SOUNDS_NAME = "hit_layout.html", "hits.csv", "sounds"
CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
"""Amazon's own elements: a form made with ``crowd-form`` is what hands answers in."""
INSTRUCTIONS = (
    "Hear each sound to its end, then rate it; use headphones in a quiet place. Where a line asks you to choose a "
    "certain rating, choose that one, whatever you hear."
)
BATCH_COLUMNS = ("HITId", "WorkerId", "AssignmentStatus", "WorkTimeInSeconds", "Input.clip_1")
"""By these the results of a batch are known, as requesters download them."""
_CLIP = "Input.clip_"
_BASE_URL = re.compile(r"https://[^\s\"'<>]+")


@dataclasses.dataclass(frozen=True)
class TurkTask:
    """Where the sounds will lie, and how many are rated in one HIT (besides one check).

    Raises:
        UserError: The address is not https, or the number below 1.
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
        num_slots = max(len(trials) for _, trials in hits)
        with atomic_path(folder / LAYOUT_NAME) as temporary:
            temporary.write_text(_layout(num_slots), encoding="ascii", newline="")
        with atomic_path(folder / HITS_NAME) as temporary:
            with temporary.open("w", encoding="ascii", newline="") as file:
                csv.writer(file).writerows(self._variables(hits, num_slots))
        for token, sound in sounds.items():
            with atomic_path(folder / SOUNDS_NAME / f"{token}.flac") as temporary:
                temporary.write_bytes(sound)

    def _variables(
        self, hits: Sequence[tuple[Question, list[ListeningTrial]]], num_slots: int
    ) -> list[list[str]]:
        """Return a row for each HIT; slots that it has no sound for are empty, and the layout's script removes them."""
        slots = [
            f"{name}_{slot}" for slot in range(1, num_slots + 1) for name in ("clip", "url", "kind", "shown")
        ]
        rows = [["heading", "question", *(f"label_{rating}" for rating in SCALE), *slots]]
        for question, trials in hits:
            row = [question.heading, question.text, *question.labels]
            for trial in trials:
                url = f"{self.base_url.rstrip('/')}/{trial.sound}.flac"
                row += [trial.token, url, f"{trial.kind}:" if trial.shown else "", trial.shown]
            row += [""] * (len(rows[0]) - len(row))
            rows.append([_markup(text) for text in row])
        return rows


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
    form = element(
        "crowd-form",
        element("h2", "${heading}"),
        element("p", INSTRUCTIONS),
        element("p", CONSENT),
        element(
            "fieldset",
            element("legend", "You listen with"),
            *(radio("device", name, name) for name in DEVICES),
        ),
        element("p", element("b", "${question}")),
        *(_slot(slot) for slot in range(1, num_slots + 1)),
        element("p", id="trouble", role="alert"),
        answer_format="flatten-objects",
    )
    style, script = (
        element(name, asset(f"turk.{end}", PACKAGE)) for name, end in (("style", "css"), ("script", "js"))
    )
    return joined(element("script", src=CROWD_SCRIPT), style, form, script) + "\n"


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
        UserError: A field is wrong or a sound was not rated.
    """
    kept = [row for row in rows if row["AssignmentStatus"] != "Rejected"]
    answers = [answer for row in kept for answer in _assignment(row, key)]
    left_out = len(rows) - len(kept)
    return answers, [f"{left_out} rejected assignments of {path.name} are left out."] if left_out else []


def _assignment(row: AnswerRow, key: ListeningKey) -> list[Answer]:
    tokens = {
        name.removeprefix(_CLIP): token
        for name, token in row.texts.items()
        if name.startswith(_CLIP) and token
    }
    seconds = row.seconds("WorkTimeInSeconds") / max(1, len(tokens))
    device = _chosen(row, "device", DEVICES)
    return [
        row.answer(key, row["WorkerId"], token, _chosen(row, f"rating_{slot}", SCALE), seconds, device)
        for slot, token in tokens.items()
    ]


def _chosen(row: AnswerRow, name: str, options: Sequence[object]) -> str:
    """Return what was chosen of radio buttons.

    ``crowd-form`` makes a column of each button, such as ``Answer.rating_1.40`` = true; plain forms make one column.
    """
    if plain := row.texts.get(f"Answer.{name}", ""):
        return plain
    chosen = [
        str(option) for option in options if row.texts.get(f"Answer.{name}.{option}", "").lower() == "true"
    ]
    if len(chosen) != 1:
        raise UserError(
            f"{row.place}: {len(chosen)} answers to {name} instead of one: reject this assignment, or repair the file."
        )
    return chosen[0]
