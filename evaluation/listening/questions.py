"""The two questions of the paper's appendix C.1 and the scale that answers them."""

from __future__ import annotations

import dataclasses

from audiolcm.errors import UserError

SCALE = (20, 40, 60, 80, 100)
"""The ratings: 20 to 100 in steps of 20."""

DEVICES = ("headphones", "earphones", "loudspeakers")
"""What raters listen with."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What a rater is asked.

    key: its word on the command line and in answers.  score_key, title: of its mean opinion score.
    text: the sentence shown; the quoted part is the paper's own.  labels: a word for each rating of ``SCALE``.
    """

    key: str
    score_key: str
    title: str
    heading: str
    text: str
    labels: tuple[str, ...]


QUALITY = Question(
    "quality",
    "mos_q",
    "MOS-Q",
    "Quality",
    "Please focus on examining the audio quality and naturalness. How good does this sound?",
    ("bad", "poor", "fair", "good", "excellent"),  # ITU-T P.800, Annex B: the absolute category scale
)
FAITHFULNESS = Question(
    "faithfulness",
    "mos_f",
    "MOS-F",
    "Faithfulness",
    "Does the natural language description align with the audio faithfully?",
    # The paper names completely, mostly and somewhat only; the two words below them are ours.
    ("not at all", "hardly", "somewhat", "mostly", "completely"),
)
QUESTIONS = {question.key: question for question in (QUALITY, FAITHFULNESS)}
"""In the order of the test: captions, which would tell what to hear, come after the quality was rated."""


def chosen_questions(words: str) -> tuple[Question, ...]:
    """Return the questions that a list such as ``quality,faithfulness`` names, in the order of ``QUESTIONS``.

    Raises:
        UserError: when a word is none of them.
    """
    given = [word.strip() for word in words.split(",")]
    if unknown := [word for word in given if word not in QUESTIONS]:
        raise UserError(f"--questions: {unknown[0]!r} is no question. Choose of {', '.join(QUESTIONS)}.")
    return tuple(question for key, question in QUESTIONS.items() if key in given)


def rating_in_words(question: Question, rating: int) -> str:
    """Return a rating with its word, such as "40 (poor)"."""
    return f"{rating} ({question.labels[SCALE.index(rating)]})"
