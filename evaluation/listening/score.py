"""From answer files to the mean opinion scores of each system: read, screen, average, tell how far raters agree."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from evaluation.listening.agreement import intraclass_correlations, krippendorff_alpha
from evaluation.listening.answers import read_answers
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, Key, Trial, read_key
from evaluation.listening.opinion import METHOD, mean_opinion
from evaluation.listening.questions import Question
from evaluation.listening.screening import Limits, Screening, screen
from evaluation.record import Score
from evaluation.tables.formats import markdown
from evaluation.tables.table import Line, Table, cell, column

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Result:
    """What a test came to: scores by system, agreement by score, and what a reader must know."""

    key: Key
    screening: Screening
    systems: dict[str, list[Score]]
    agreement: dict[str, dict[str, float | None]]
    notes: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Return the file of results; raters are counted, never named."""
        screening = self.screening
        return {
            "format_version": FORMAT_VERSION,
            "test": self.key.test,
            "title": self.key.title,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "raters": {
                "used": len(screening.used),
                "screened": len(screening.screened),
                "rules": screening.counts,
            },
            "agreement": self.agreement,
            "notes": list(self.notes),
            "systems": {
                name: [_without_clips(score) for score in scores] for name, scores in self.systems.items()
            },
        }

    def write(self, path: Path) -> None:
        """Write the file of results as JSON, atomically."""
        with atomic_path(path) as temporary:
            text = json.dumps(self.content(), indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    def table(self) -> str:
        """Return the scores as a Markdown table with notes."""
        scores = [score for found in self.systems.values() for score in found]
        columns = {score.key: column(score) for score in scores}
        lines = [Line(name, {s.key: cell(s) for s in found}) for name, found in self.systems.items()]
        sanity = [line for line in lines if line.label == LOW_ANCHOR]
        lines = [line for line in lines if line.label != LOW_ANCHOR]
        title = f"{self.key.title}: mean opinion, 20 to 100"
        return markdown(Table(title, tuple(columns.values()), tuple(lines), tuple(sanity), self.notes))


def _without_clips(score: Score) -> dict[str, Any]:
    content = dataclasses.asdict(score)
    return {name: value for name, value in content.items() if name != "per_clip"}


def score_files(
    key_path: Path, paths: Sequence[Path], rules: Sequence[str], limits: Limits, num_resamples: int, seed: int
) -> Result:
    """Return the result of answer files.

    Raises:
        UserError: when the key or a file can not be used, or no rater is left.
    """
    key = read_key(key_path)
    answers, notes = read_answers(paths, key)
    screening = screen(answers, key, rules, limits)
    if not screening.used:
        told = ", ".join(f"{name} {count}" for name, count in screening.counts.items() if count)
        raise UserError(
            f"All {len(screening.screened)} raters were screened out ({told}): look at their files, or "
            "name fewer --rules."
        )
    ratings = {(answer.rater, answer.trial): float(answer.rating) for answer in answers}
    systems: dict[str, list[Score]] = {}
    agreement = {}
    for question in key.questions:
        scored = [trial for trial in key.trials if trial.question == question.key and trial.is_scored]
        for name in (*key.systems, REFERENCE, LOW_ANCHOR):
            trials = [trial for trial in scored if trial.system == name]
            table = _table(ratings, screening.used, trials)
            if np.isfinite(table).any():
                systems.setdefault(name, []).append(_score(question, table, num_resamples, seed))
        between = [trial for trial in scored if trial.system in key.systems]
        agreement[question.score_key] = _agreement(_table(ratings, screening.used, between))
    told = (*notes, *_screening_notes(screening), *_agreement_notes(agreement, key), *_missing(key, systems))
    return Result(key, screening, systems, agreement, (*told, *_interval_notes(systems)))


def _table(
    ratings: dict[tuple[str, str], float], raters: Sequence[str], trials: Sequence[Trial]
) -> np.ndarray:
    """Return the ratings (raters, trials), NaN where there is none."""
    # Sorted, so that the same draws of clips mean the same clips for every system.
    ordered = sorted(trials, key=lambda trial: (trial.item, trial.system))
    rows = [[ratings.get((rater, trial.token), np.nan) for trial in ordered] for rater in raters]
    return np.array(rows, np.float64).reshape(len(raters), len(ordered))


def _score(question: Question, table: np.ndarray, num_resamples: int, seed: int) -> Score:
    value, interval, why_not = mean_opinion(table, num_resamples, seed)
    rated = np.isfinite(table)
    return Score(
        key=question.score_key,
        title=question.title,
        value=value,
        better="higher",
        interval=interval,
        interval_method=METHOD if interval is not None else "",
        num_generated=int(rated.any(axis=0).sum()),
        details={"num_raters": int(rated.any(axis=1).sum()), "num_ratings": int(rated.sum())},
        notes=(why_not,) if why_not else (),
    )


def _agreement(table: np.ndarray) -> dict[str, float | None]:
    """Return the agreement of raters on the systems' sounds; anchors would flatter it."""
    correlations = intraclass_correlations(table) or (None, None)
    return {
        "krippendorff_alpha": krippendorff_alpha(table),
        "icc_2_1": correlations[0],
        "icc_2_k": correlations[1],
    }


def _screening_notes(screening: Screening) -> list[str]:
    rules = ", ".join(f"{name} {count}" for name, count in screening.counts.items()) or "no rules"
    return [f"{len(screening.used)} raters used, {len(screening.screened)} screened out ({rules})."]


def _agreement_notes(agreement: dict[str, dict[str, float | None]], key: Key) -> list[str]:
    titles = {question.score_key: question.title for question in key.questions}
    return [
        f"Agreement on {titles[name]}: Krippendorff's alpha {_number(found['krippendorff_alpha'])}, "
        f"ICC(2,1) {_number(found['icc_2_1'])}, ICC(2,k) {_number(found['icc_2_k'])}."
        for name, found in agreement.items()
    ]


def _interval_notes(systems: dict[str, list[Score]]) -> list[str]:
    """Return how intervals were made, and why some scores have none."""
    scores = [(name, score) for name, found in systems.items() for score in found]
    made = [f"95% intervals: {METHOD}."] * any(score.interval is not None for _, score in scores)
    return [*made, *(f"{name}, {score.title}: {note}." for name, score in scores for note in score.notes)]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _missing(key: Key, systems: dict[str, list[Score]]) -> list[str]:
    return [
        f"{name} has no rating under {question.title}."
        for name in key.systems
        for question in key.questions
        if question.score_key not in {score.key for score in systems.get(name, ())}
    ]
