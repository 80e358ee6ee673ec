"""The test as a Mechanical Turk project: a HIT layout, the CSV of its variables, and the sounds to be uploaded.

One HIT asks one question about several sounds and has one check of attention. Values of variables go into the layout
as they are, so that they are markup here: escaped, and ASCII alone, as Mechanical Turk refuses signs of four bytes.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import itertools
import random
import re
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.pages.html import Html, element, joined
from audiolcm.storage.files import atomic_path
from audiolcm.text_tables import FORMULA
from evaluation.listening.design import Design
from evaluation.listening.key import Key, Trial
from evaluation.listening.page import CONSENT, asset
from evaluation.listening.questions import DEVICES, SCALE, Question
from evaluation.listening.sounds import flac

LAYOUT_NAME, HITS_NAME, SOUNDS_NAME = "hit_layout.html", "hits.csv", "sounds"
CROWD_SCRIPT = "https://assets.crowd.aws/crowd-html-elements.js"
"""Amazon's own elements: a form made with ``crowd-form`` is what hands answers in."""

_BASE_URL = re.compile(r"https://[^\s\"'<>]+")
INSTRUCTIONS = (
    "Hear each sound to its end, then rate it; use headphones in a quiet place. Where a line asks you to choose a "
    "certain rating, choose that one, whatever you hear."
)


@dataclasses.dataclass(frozen=True)
class HitSettings:
    """Where the sounds will lie, and how many are rated in one HIT (besides one check).

    Raises:
        UserError: when the address is not https, or the number below 1.
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


def write_hits(key: Key, plan: Design, settings: HitSettings, folder: Path) -> None:
    """Write layout, variables and sounds into the folder."""
    hits = hits_of(key, settings.clips_per_hit)
    num_slots = max(len(trials) for _, trials in hits)
    for name, text in ((LAYOUT_NAME, layout(num_slots)), (HITS_NAME, hits_csv(hits, num_slots, settings))):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="ascii", newline="")
    for token, sound in plan.sounds.items():
        with atomic_path(folder / SOUNDS_NAME / f"{token}.flac") as temporary:
            temporary.write_bytes(flac(sound.waveform))


def hits_of(key: Key, clips_per_hit: int) -> list[tuple[Question, list[Trial]]]:
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


def hits_csv(hits: list[tuple[Question, list[Trial]]], num_slots: int, settings: HitSettings) -> str:
    """Return a row for each HIT; slots that it has no sound for are empty, and the layout's script removes them."""
    head = ["heading", "question", *(f"label_{rating}" for rating in SCALE)]
    head += [
        f"{name}_{slot}" for slot in range(1, num_slots + 1) for name in ("clip", "url", "kind", "shown")
    ]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(head)
    for question, trials in hits:
        row = [question.heading, question.text, *question.labels]
        for trial in trials:
            kind = "" if not trial.shown else "Description:" if trial.choose is None else "Instruction:"
            url = f"{settings.base_url.rstrip('/')}/{trial.sound}.flac"
            row += [trial.token, url, kind, trial.shown]
        row += [""] * (len(head) - len(row))
        writer.writerow(_markup(text) for text in row)
    return file.getvalue()


def _markup(text: str) -> str:
    """Return text as ASCII markup that no spreadsheet computes."""
    escaped = html.escape(" ".join(text.split())).encode("ascii", "xmlcharrefreplace").decode()
    return f"&#{ord(escaped[0])};{escaped[1:]}" if FORMULA.match(escaped) else escaped


def layout(num_slots: int) -> str:
    """Return the HIT layout: paste it into the design of a project, "Edit source"."""
    devices = [
        element("label", element("input", type="radio", name="device", value=name), f" {name}")
        for name in DEVICES
    ]
    form = element(
        "crowd-form",
        element("h2", "${heading}"),
        element("p", INSTRUCTIONS),
        element("p", CONSENT),
        element("fieldset", element("legend", "You listen with"), *devices),
        element("p", element("b", "${question}")),
        *(_slot(slot) for slot in range(1, num_slots + 1)),
        element("p", id="trouble", role="alert"),
        answer_format="flatten-objects",
    )
    crowd = element("script", src=CROWD_SCRIPT)
    parts = (crowd, element("style", asset("turk.css")), form, element("script", asset("turk.js")))
    return joined(*parts) + "\n"


def _slot(slot: int) -> Html:
    ratings = [
        element(
            "label",
            element("input", type="radio", name=f"rating_{slot}", value=rating),
            f" {rating} ${{label_{rating}}}",
        )
        for rating in SCALE
    ]
    return element(
        "div",
        element("h3", f"Sound {slot}"),
        element("p", element("b", f"${{kind_{slot}}}"), f" ${{shown_{slot}}}"),
        element("audio", src=f"${{url_{slot}}}", controls=True, preload="auto", aria_label=f"Sound {slot}"),
        element("fieldset", element("legend", f"Your rating of sound {slot}"), *ratings, disabled=True),
        class_="slot",
        data_clip=f"${{clip_{slot}}}",
    )
