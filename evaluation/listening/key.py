"""The key of a test: which random token stands for which sound of which system. Raters never see it."""

import dataclasses
import functools
import json
from pathlib import Path

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.plain_data import read_json
from evaluation.listening.questions import QUESTIONS, SCALE, Question

FORMAT_VERSION = 1
KEY_NAME = "key.json"
REFERENCE, LOW_ANCHOR = "reference", "low_anchor"
"""Rows of a test that no system made: the true sounds, and what every rater should hear to be worse."""


@dataclasses.dataclass(frozen=True)
class ListeningTrial:
    """One sound under one question.

    Args:
        token: random, its name for raters.
        question: key of the question.
        system: of the command line, or ``REFERENCE``, ``LOW_ANCHOR``; "" in a check of attention.
        item: ``<clip>__<i>``.
        sound: token of the sound heard; several trials may share one.
        shown: what stands above the sound: a caption, the instruction of a check, or "".
        seconds: of the sound.
        choose: the right answer of a check.
        repeats: token of the trial that this one is heard again for.
    """

    token: str
    question: str
    system: str
    item: str
    sound: str
    shown: str
    seconds: float
    choose: int | None = None
    repeats: str = ""

    def __post_init__(self) -> None:
        if self.question not in QUESTIONS or self.choose not in (None, *SCALE):
            raise ValueError(f"trial {self.token}")

    @property
    def is_scored(self) -> bool:
        """Whether its rating counts for a mean opinion score: checks and repetitions do not."""
        return self.choose is None and not self.repeats

    @property
    def kind(self) -> str:
        """What the text above the sound is."""
        return "Description" if self.choose is None else "Instruction"


@dataclasses.dataclass(frozen=True)
class ListeningKey:
    """A test: its random name, its title, when and from what it was made, and its trials, sorted by token."""

    test: str
    title: str
    date: str
    seed: int
    systems: dict[str, str]
    trials: tuple[ListeningTrial, ...]
    format_version: int = FORMAT_VERSION

    @functools.cached_property
    def by_token(self) -> dict[str, ListeningTrial]:
        """The trials by their token."""
        return {trial.token: trial for trial in self.trials}

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that are asked."""
        asked = {trial.question for trial in self.trials}
        return tuple(question for key, question in QUESTIONS.items() if key in asked)

    def write(self, path: Path) -> None:
        """Write the key as JSON, atomically."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")


def read_key(path: Path) -> ListeningKey:
    """Return the key that ``build`` wrote.

    Raises:
        UserError: the file is missing, damaged or of a newer format.
    """
    try:
        content = read_json(path)
        if content["format_version"] > FORMAT_VERSION:
            raise UserError(f"{path} has format {content['format_version']}: upgrade audiolcm.")
        trials = tuple(ListeningTrial(**trial) for trial in content["trials"])
        return ListeningKey(**content | {"trials": trials})
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): give the {KEY_NAME} of build.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} is not the key of a listening test ({error!r}): give the {KEY_NAME} that build wrote."
        ) from error
