"""The two questions of the paper's appendix C.1, the scale that answers them, and the order in which sounds come."""

import dataclasses
from collections.abc import Iterable

from audiolcm.errors import UserError

SCALE = (20, 40, 60, 80, 100)
"""The ratings: 20 to 100 in steps of 20."""

DEVICES = ("headphones", "earphones", "loudspeakers")
"""What raters listen with."""

_BITS = 0xFFFFFFFF


@dataclasses.dataclass(frozen=True)
class Question:
    """What a rater is asked.

    Args:
        key: its word on the command line and in answers.
        score_key, title: of its mean opinion score.
        heading, text: for raters; "focus on examining ..." and the question of faithfulness are the paper's own words.
        labels: a word for each rating of ``SCALE``.
    """

    key: str
    score_key: str
    title: str
    heading: str
    text: str
    labels: tuple[str, ...]

    def in_words(self, rating: int) -> str:
        """Return a rating with its word, such as "40 (poor)"."""
        return f"{rating} ({self.labels[SCALE.index(rating)]})"


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
        UserError: a word is none of them.
    """
    given = [word.strip() for word in words.split(",")]
    if unknown := [word for word in given if word not in QUESTIONS]:
        raise UserError(f"--questions: {unknown[0]!r} is no question. Choose of {', '.join(QUESTIONS)}.")
    return tuple(question for key, question in QUESTIONS.items() if key in given)


def order_for(rater: str, tokens: Iterable[str]) -> list[str]:
    """Return the tokens of one question's trials as this rater hears them; ``page.js`` computes the same.

    Tokens are random, so hashes of rater and token are a random order that an answer file tells at any time.
    """
    return sorted(tokens, key=lambda token: (mixed(f"{rater}|{token}"), token))


def mixed(text: str) -> int:
    """Return 32 bits of an ASCII text: FNV-1a, then the finalizer of MurmurHash3 for bits that all depend on all."""
    value = 0x811C9DC5
    for byte in text.encode("ascii"):
        value = (value ^ byte) * 0x01000193 & _BITS
    value = (value ^ value >> 16) * 0x85EBCA6B & _BITS
    value = (value ^ value >> 13) * 0xC2B2AE35 & _BITS
    return value ^ value >> 16
