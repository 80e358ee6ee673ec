"""The command ``score``: reads answers, screens raters, averages, and tells how far raters agree."""

import dataclasses
import datetime
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from evaluation.listening.answers import read_answers
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, ListeningKey, ListeningTrial, read_key
from evaluation.listening.questions import Question
from evaluation.listening.screening import Screening, ScreeningLimits, screen
from evaluation.listening.statistics import METHOD, intraclass_correlations, krippendorff_alpha, mean_opinion
from evaluation.record import Score
from evaluation.tables.formats import markdown
from evaluation.tables.table import Table, TableLine, cell, column

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ListeningResult:
    """What a test came to: scores by system, agreement by the key of a score, and what is told of the files."""

    key: ListeningKey
    screening: Screening
    systems: dict[str, list[Score]]
    agreement: dict[str, dict[str, float | None]]
    told: Sequence[str]

    def notes(self) -> Iterator[str]:
        """Yield what a reader must know, raters first, intervals last."""
        yield from self.told
        found = self.screening
        rules = ", ".join(f"{name} {count}" for name, count in found.counts.items()) or "no rules"
        yield f"{len(found.used)} raters used, {len(found.screened)} screened out ({rules})."
        for question in self.key.questions:
            agreed = self.agreement[question.score_key].values()
            alpha, one, mean = ("none" if value is None else f"{value:.2f}" for value in agreed)
            yield f"Agreement on {question.title}: Krippendorff's alpha {alpha}, ICC(2,1) {one}, ICC(2,k) {mean}."
        scores = [(name, score) for name, scores in self.systems.items() for score in scores]
        known = {(name, score.key) for name, score in scores}
        for name, question in itertools.product(self.key.systems, self.key.questions):
            if (name, question.score_key) not in known:
                yield f"{name} has no rating under {question.title}."
        if any(score.interval for _, score in scores):
            yield f"95% intervals: {METHOD}."
        yield from (f"{name}, {score.title}: {note}." for name, score in scores for note in score.notes)

    def write(self, path: Path) -> None:
        """Write the file of results as JSON, atomically; raters are counted, never named."""
        raters = self.screening
        kept = [field.name for field in dataclasses.fields(Score) if field.name != "per_clip"]
        systems = {
            name: [{field: getattr(score, field) for field in kept} for score in scores]
            for name, scores in self.systems.items()
        }
        content = {
            "format_version": FORMAT_VERSION,
            "test": self.key.test,
            "title": self.key.title,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "raters": {"used": len(raters.used), "screened": len(raters.screened), "rules": raters.counts},
            "agreement": self.agreement,
            "notes": list(self.notes()),
            "systems": systems,
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def table(self) -> str:
        """Return the scores as a Markdown table with notes."""
        columns = {score.key: column(score) for score in itertools.chain(*self.systems.values())}
        lines = {
            name: TableLine(name, {s.key: cell(s) for s in found}) for name, found in self.systems.items()
        }
        sanity = (lines.pop(LOW_ANCHOR),) if LOW_ANCHOR in lines else ()
        title = f"{self.key.title}: mean opinion, 20 to 100"
        table = Table(title, tuple(columns.values()), tuple(lines.values()), sanity, tuple(self.notes()))
        return markdown(table)


def score_files(
    key_path: Path,
    paths: Sequence[Path],
    rules: Sequence[str],
    limits: ScreeningLimits,
    num_resamples: int,
    seed: int,
) -> ListeningResult:
    """Return the result of answer files.

    Raises:
        UserError: the key or a file cannot be used, or no rater is left.
    """
    key = read_key(key_path)
    answers, told = read_answers(paths, key)
    screening = screen(answers, rules, limits)
    if not screening.used:
        broken = ", ".join(f"{name} {count}" for name, count in screening.counts.items() if count)
        raise UserError(
            f"All {len(screening.screened)} raters were screened out ({broken}): look at their files, or "
            "name fewer --rules."
        )
    ratings = {(answer.rater, answer.trial.token): answer.rating for answer in answers}
    systems: dict[str, list[Score]] = {}
    agreement = {}
    for question in key.questions:
        scored = [trial for trial in key.trials if trial.question == question.key and trial.is_scored]
        for name in (*key.systems, REFERENCE, LOW_ANCHOR):
            heard = _table(ratings, screening.used, [trial for trial in scored if trial.system == name])
            if np.isfinite(heard).any():
                systems.setdefault(name, []).append(_score(question, heard, num_resamples, seed))
        # Of the systems' sounds alone: anchors would flatter it.
        made = _table(ratings, screening.used, [trial for trial in scored if trial.system in key.systems])
        single, average = intraclass_correlations(made) or (None, None)
        alpha = krippendorff_alpha(made)
        agreement[question.score_key] = {"krippendorff_alpha": alpha, "icc_2_1": single, "icc_2_k": average}
    return ListeningResult(key, screening, systems, agreement, told)


def _table(
    ratings: Mapping[tuple[str, str], int], raters: Sequence[str], trials: Sequence[ListeningTrial]
) -> np.ndarray:
    """Return the ratings (raters, trials), NaN where there is none."""
    # Sorted, so that the same draws of clips mean the same clips for every system.
    ordered = sorted(trials, key=lambda trial: (trial.item, trial.system))
    rows = [[ratings.get((rater, trial.token), np.nan) for trial in ordered] for rater in raters]
    return np.array(rows, np.float64)


def _score(question: Question, table: np.ndarray, num_resamples: int, seed: int) -> Score:
    value, interval, why_not = mean_opinion(table, num_resamples, seed)
    rated = np.isfinite(table)
    return Score(
        key=question.score_key,
        title=question.title,
        value=value,
        better="higher",
        interval=interval,
        interval_method=METHOD if interval else "",
        num_generated=int(rated.any(axis=0).sum()),
        details={"num_raters": int(rated.any(axis=1).sum()), "num_ratings": int(rated.sum())},
        notes=(why_not,) if why_not else (),
    )
