"""What is asked in a test: items, systems, anchors, checks of attention and repetitions, each under a random token."""

from __future__ import annotations

import dataclasses
import random
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from audiolcm.audio.io import read_audio
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, Trial
from evaluation.listening.questions import FAITHFULNESS, QUALITY, QUESTIONS, SCALE, Question, rating_in_words
from evaluation.listening.sounds import low_passed
from evaluation.listening.sources import Stimuli, common_items, references

ANCHORS = (REFERENCE, LOW_ANCHOR)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is asked.

    num_items: clips, the same for all systems.  num_low_anchors, num_checks, num_repeats: for each question.
    anchors: ``ANCHORS``, or none.  max_seconds: of longer sounds the start is heard.

    Raises:
        UserError: when a number is too small.
    """

    num_items: int = 20
    seed: int = 0
    questions: tuple[Question, ...] = tuple(QUESTIONS.values())
    anchors: tuple[str, ...] = ANCHORS
    num_low_anchors: int = 4
    num_checks: int = 2
    num_repeats: int = 2
    max_seconds: float = 10.0

    def __post_init__(self) -> None:
        least = {"items": 2, "low_anchors": 1, "checks": 0, "repeats": 0}  # one item has no other caption
        for name, low in least.items():
            if (value := getattr(self, f"num_{name}")) < low:
                raise UserError(f"--{name.replace('_', '-')} {value} must be {low} or more.")
        if not self.max_seconds > 0:
            raise UserError(f"--max-seconds {self.max_seconds:g} must be more than 0.")


_SHORTEST = 0.02  # seconds of a sound that can be judged


@dataclasses.dataclass(frozen=True)
class Sound:
    """A sound of a test: samples (n,) at 16 kHz."""

    token: str
    waveform: np.ndarray

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return round(len(self.waveform) / SAMPLE_RATE, 3)


@dataclasses.dataclass(frozen=True)
class Design:
    """The trials of a test and their sounds by token, both sorted by token: their order tells nothing."""

    trials: tuple[Trial, ...]
    sounds: dict[str, Sound]


def random_token() -> str:
    """Return a name that tells nothing."""
    return secrets.token_hex(6)


def design(
    systems: dict[str, Stimuli], settings: Settings, new_token: Callable[[], str] = random_token
) -> Design:
    """Draw the items and lay out the trials.

    Raises:
        UserError: when there are fewer clips than asked for, or a sound is missing or damaged.
    """
    return _Designer(systems, settings, new_token).design()


class _Designer:
    """The pieces that the questions share: drawn items, sounds that were read, the random numbers."""

    def __init__(self, systems: dict[str, Stimuli], settings: Settings, new_token: Callable[[], str]) -> None:
        self.settings, self.new_token = settings, new_token
        self.draws = random.Random(settings.seed)
        self.items = _drawn_items(systems, settings, self.draws)
        stimuli = next(iter(systems.values()))
        self.captions = {item: stimuli[item].caption for item in self.items}
        files = {name: {item: found[item].audio for item in self.items} for name, found in systems.items()}
        if settings.anchors:
            files[REFERENCE] = references(systems, self.items)
        self.sounds = {
            (name, item): self._sound(path) for name, paths in files.items() for item, path in paths.items()
        }
        self.systems, self.rows = tuple(systems), tuple(files)
        if settings.anchors:
            self._cut_references()

    def _sound(self, path: Path) -> Sound:
        waveform = read_audio(path, self.settings.max_seconds)
        if len(waveform) < _SHORTEST * SAMPLE_RATE:
            raise UserError(
                f"{path} has {len(waveform)} samples at 16 kHz: less than {_SHORTEST:g} s can not be judged. "
                "Make the sound again, or leave its clip out."
            )
        return Sound(self.new_token(), waveform)

    def _cut_references(self) -> None:
        """Let no true sound be longer than what the systems made of its caption: its length would tell which it is."""
        for item in self.items:
            longest = max(len(self.sounds[system, item].waveform) for system in self.systems)
            true = self.sounds[REFERENCE, item]
            self.sounds[REFERENCE, item] = dataclasses.replace(true, waveform=true.waveform[:longest])

    def design(self) -> Design:
        """Return all trials of all questions."""
        trials = [trial for question in self.settings.questions for trial in self._question(question)]
        used = {trial.sound for trial in trials}
        sounds = sorted(self.sounds.values(), key=lambda sound: sound.token)
        return Design(
            tuple(sorted(trials, key=lambda trial: trial.token)),
            {sound.token: sound for sound in sounds if sound.token in used},
        )

    def _question(self, question: Question) -> list[Trial]:
        trials = [self._trial(question, row, item) for row in self.rows for item in self.items]
        repeatable = [trial for trial in trials if trial.system in self.systems]
        if LOW_ANCHOR in self.settings.anchors:
            trials += [
                self._low_anchor(question, item) for item in self.items[: self.settings.num_low_anchors]
            ]
        repeated = self.draws.sample(repeatable, min(self.settings.num_repeats, len(repeatable)))
        trials += [dataclasses.replace(t, token=self.new_token(), repeats=t.token) for t in repeated]
        checked = [self.draws.choice(repeatable) for _ in range(self.settings.num_checks)]
        return trials + [self._check(question, trial) for trial in checked]

    def _trial(self, question: Question, row: str, item: str) -> Trial:
        sound = self.sounds[row, item]
        shown = self.captions[item] if question is FAITHFULNESS else ""
        return Trial(self.new_token(), question.key, row, item, sound.token, shown, sound.seconds)

    def _low_anchor(self, question: Question, item: str) -> Trial:
        """Return the true sound made dull, or under the caption of another item."""
        true = self._trial(question, REFERENCE, item)
        if question is QUALITY:
            dull = Sound(self.new_token(), low_passed(self.sounds[REFERENCE, item].waveform))
            self.sounds[LOW_ANCHOR, item] = dull
            return dataclasses.replace(true, system=LOW_ANCHOR, sound=dull.token)
        place = self.items.index(item)
        others = [
            other for other in (*self.items[place:], *self.items[:place]) if _clip(other) != _clip(item)
        ]
        captions = [self.captions[other] for other in others]
        wrong = next((caption for caption in captions if caption != self.captions[item]), None)
        if wrong is None:
            raise UserError(
                f"No other drawn clip has another caption than {item}, so that none is wrong: add --items, "
                "or ask --questions quality."
            )
        return dataclasses.replace(true, system=LOW_ANCHOR, shown=wrong)

    def _check(self, question: Question, trial: Trial) -> Trial:
        rating = self.draws.choice(SCALE)
        shown = f"This is a check of attention: whatever you hear, choose {rating_in_words(question, rating)} here."
        return dataclasses.replace(
            trial, token=self.new_token(), system="", item="", shown=shown, choose=rating
        )


def _clip(item: str) -> str:
    """Return the clip of an item: other captions of one clip are true as well."""
    return item.rpartition("__")[0]


def _drawn_items(systems: dict[str, Stimuli], settings: Settings, draws: random.Random) -> Sequence[str]:
    common = common_items(systems)
    if len(common) < settings.num_items:
        counts = ", ".join(f"{name} {len(stimuli)}" for name, stimuli in systems.items())
        raise UserError(
            f"--items {settings.num_items}: the systems have {len(common)} clips in common ({counts}). Ask for fewer."
        )
    return draws.sample(common, settings.num_items)
