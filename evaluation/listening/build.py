"""The command ``build``: draws the clips, lays out what is asked of them, and writes the page and its key."""

import datetime
import functools
import logging
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiolcm.audio.io import read_audio
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from evaluation.listening.key import KEY_NAME, LOW_ANCHOR, REFERENCE, ListeningKey, ListeningTrial
from evaluation.listening.page import flac, render
from evaluation.listening.questions import FAITHFULNESS, QUALITY, QUESTIONS, SCALE, Question
from evaluation.listening.stimuli import Stimuli, common_items, counted, low_passed, read_systems, references

if TYPE_CHECKING:
    from evaluation.listening.turk import TurkTask

log = logging.getLogger(__name__)

PAGE_NAME = "listening.html"
MAX_PAGE_BYTES = 200_000_000  # browsers get slow with more in one page
_SHORTEST = 0.02  # seconds of a sound that can be judged
_random_token = functools.partial(secrets.token_hex, 6)


@dataclass(frozen=True)
class Amounts:
    """How much is asked: options of the command line. Low anchors, checks and repeats are counted for each question.

    Raises:
        UserError: a number is too small.
    """

    items: int = 20
    seed: int = 0
    questions: tuple[Question, ...] = tuple(QUESTIONS.values())
    anchors: bool = True
    low_anchors: int = 4
    checks: int = 2
    repeats: int = 2
    max_seconds: float = 10.0

    def __post_init__(self) -> None:
        least = {"items": 2, "low_anchors": 1, "checks": 0, "repeats": 0}  # one item has no other caption
        for name, low in least.items():
            if (value := getattr(self, name)) < low:
                raise UserError(f"--{name.replace('_', '-')} {value} must be {low} or more.")
        if not self.max_seconds > 0:
            raise UserError(f"--max-seconds {self.max_seconds:g} must be more than 0.")


def build(
    given: Sequence[str],
    captions: Path | None,
    folder: Path,
    title: str,
    amounts: Amounts,
    task: "TurkTask | None" = None,
) -> None:
    """Write ``listening.html`` and ``key.json`` into the folder, and ``mturk/`` where there is a task.

    Args:
        given: systems as ``NAME=FOLDER``.
        captions: the table that plain folders need; None where there are none.
        folder: where the test is written.
        title: of the page.
        amounts: how many sounds and questions.
        task: of Mechanical Turk; None: no folder ``mturk/``.

    Raises:
        UserError: the folder holds a test already, a system cannot be used, or the page would be too large.
    """
    key_path, page_path = folder / KEY_NAME, folder / PAGE_NAME
    if key_path.exists():
        raise UserError(
            f"{key_path} exists: without it the answers of that test are worth nothing. Choose another -o."
        )
    systems = read_systems(given, captions)
    design = _Design(systems, amounts)
    sounds = {token: flac(waveform) for token, waveform in sorted(design.sounds.items())}
    key = ListeningKey(
        test=_random_token(),
        title=title,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seed=amounts.seed,
        systems=dict(text.split("=", 1) for text in given),
        trials=tuple(sorted(design.trials, key=lambda trial: trial.token)),
    )
    page = render(key, sounds).encode()
    if len(page) > MAX_PAGE_BYTES:
        raise UserError(
            f"The page would have {len(page) / 1e6:.0f} MB, more than {MAX_PAGE_BYTES / 1e6:.0f}: "
            "lower --items or --max-seconds, or make several tests."
        )
    with atomic_path(page_path) as temporary:
        temporary.write_bytes(page)
    if task is not None:
        task.write(key, sounds, folder / "mturk")
    key.write(key_path)
    log.info("%d items drawn from the clips of %s; %d sounds.", amounts.items, counted(systems), len(sounds))
    log.info("Send %s (%.1f MB, %d ratings) to the raters.", page_path, len(page) / 1e6, len(key.trials))
    log.info("Keep %s: it alone tells which sound is whose.", key_path)


class _Design:
    """The trials of a test and their sounds by token, waveforms (samples,) at 16 kHz."""

    def __init__(self, systems: dict[str, Stimuli], amounts: Amounts) -> None:
        self.amounts, self.draws = amounts, random.Random(amounts.seed)
        self.items = self._drawn_items(systems)
        self.captions = {item: next(iter(systems.values()))[item].caption for item in self.items}
        true = references(systems, self.items) if amounts.anchors else {}
        self.sounds: dict[str, np.ndarray] = {}
        self.tokens = {
            (name, item): self._added(self._read(stimuli[item].audio))
            for name, stimuli in systems.items()
            for item in self.items
        }
        for item, path in true.items():  # one that is longer than all others would be known by its length
            longest = max(len(self.sounds[self.tokens[name, item]]) for name in systems)
            self.tokens[REFERENCE, item] = self._added(self._read(path)[:longest])
        self.trials = [trial for question in amounts.questions for trial in self._asked(question)]

    def _drawn_items(self, systems: dict[str, Stimuli]) -> list[str]:
        common, wanted = common_items(systems), self.amounts.items
        if len(common) < wanted:
            found = f"{len(common)} clips in common ({counted(systems)})"
            raise UserError(f"--items {wanted}: the systems have {found}. Ask for fewer.")
        return self.draws.sample(common, wanted)

    def _read(self, path: Path) -> np.ndarray:
        waveform = read_audio(path, self.amounts.max_seconds)
        if len(waveform) < _SHORTEST * SAMPLE_RATE:
            raise UserError(
                f"{path} has {len(waveform)} samples at 16 kHz: less than {_SHORTEST:g} s cannot be judged. "
                "Make the sound again, or leave its clip out."
            )
        return waveform

    def _added(self, waveform: np.ndarray) -> str:
        """Add a sound and return its token."""
        token = _random_token()
        self.sounds[token] = waveform
        return token

    def _asked(self, question: Question) -> Iterator[ListeningTrial]:
        """Yield the trials of a question."""
        plain = [self._trial(question, row, item) for row, item in self.tokens]
        yield from plain
        if self.amounts.anchors:
            for item in self.items[: self.amounts.low_anchors]:
                yield self._low_anchor(question, item)
        plain = [trial for trial in plain if trial.system != REFERENCE]
        for trial in self.draws.sample(plain, min(self.amounts.repeats, len(plain))):
            yield replace(trial, token=_random_token(), repeats=trial.token)
        for trial in [self.draws.choice(plain) for _ in range(self.amounts.checks)]:
            choose = self.draws.choice(SCALE)
            words = question.in_words(choose)
            shown = f"This is a check of attention: whatever you hear, choose {words} here."
            yield replace(trial, token=_random_token(), system="", item="", shown=shown, choose=choose)

    def _trial(self, question: Question, row: str, item: str) -> ListeningTrial:
        sound = self.tokens[row, item]
        shown = self.captions[item] if question is FAITHFULNESS else ""
        seconds = round(len(self.sounds[sound]) / SAMPLE_RATE, 3)
        return ListeningTrial(_random_token(), question.key, row, item, sound, shown, seconds)

    def _low_anchor(self, question: Question, item: str) -> ListeningTrial:
        """Return the true sound made dull, or under the caption of another clip."""
        true = self._trial(question, REFERENCE, item)
        if question is QUALITY:
            dull = self._added(low_passed(self.sounds[true.sound]))
            return replace(true, system=LOW_ANCHOR, sound=dull)
        place = self.items.index(item)
        for other in (*self.items[place:], *self.items[:place]):
            is_same_clip = (
                other.rpartition("__")[0] == item.rpartition("__")[0]
            )  # each of its captions is true
            if not is_same_clip and self.captions[other] != self.captions[item]:
                return replace(true, system=LOW_ANCHOR, shown=self.captions[other])
        raise UserError(
            f"No other drawn clip has another caption than {item}, so that none is wrong: add --items, "
            "or ask --questions quality."
        )
