"""Where a measured column takes its figures from: scores, timings, facts and figures of records, listening tests."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics.bootstrap import resampled
from evaluation.record import AS_FOUND, Score
from evaluation.tables.table import as_text, protocol_marks
from experiments.records.records import ItemResults, Result

OLD_TIMING = "timed the old way"
_DRAWS = 1000


@dataclass(frozen=True)
class Reading:
    """One figure of one job.

    Attributes:
        value: None for words.  text: how it is shown; "" for as many digits as its interval allows.
        interval: 95%, of this job alone; ``method`` says how it was made.
        num_generated, num_reference: sounds on either side; 0: not counted.
        condition: what has to be equal before figures are averaged or stand in one column, by what it is called.
        is_exact: it has no spread over seeds: where seeds differ, something is wrong.
        is_seeded: it is of one seed of training, not of all or none.
        ends: what it is called where its ends are known, see ``evaluation.tables.table.within``.
        is_embedded: it is the embedded evaluator's, which may not judge a claim.
        caveat: how it was measured that it must not be believed as others are, in words short enough for a mark.
        draws: the figure of each draw of a bootstrap, by generation seed; ``drawn`` says of what, and tells pairs.
    """

    value: float | None
    text: str = ""
    interval: tuple[float, float] | None = None
    method: str = ""
    num_generated: int = 0
    num_reference: int = 0
    condition: tuple[tuple[str, str], ...] = ()
    is_exact: bool = False
    is_seeded: bool = True
    ends: str = ""
    is_embedded: bool = False
    caveat: str = ""
    draws: tuple[tuple[float, ...], ...] = ()
    drawn: tuple[str, str] = ("", "")


class ReadingSource(ABC):
    """One place of figures."""

    @abstractmethod
    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the readings of a row by seed; jobs without that figure are not in it."""


class ResultSource(ReadingSource):
    """A place in results, which are read one at a time."""

    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the readings of a row by seed; jobs without that figure are not in it."""
        found = {result.seed: self.reading(result) for result in results.of(row)}
        return {seed: reading for seed, reading in found.items() if reading is not None}

    @abstractmethod
    def reading(self, result: Result) -> Reading | None:
        """Return the figure of one result; None when it has none."""


@dataclass(frozen=True)
class PaperColumn:
    """One column: what the paper prints there and what is measured for it.

    Attributes:
        name: of the paper's column in printed.yaml; None for one that only we have: it is shown where it was measured.
        better: "lower", "higher" or "".
        sources: where its measured figures come from, by scale; a scale without one has no measured figures.
    """

    title: str
    name: str | None
    better: str
    sources: Mapping[str, ReadingSource]


@dataclass(frozen=True)
class FirstScore(ResultSource):
    """The first that a result has of the scores with some keys, such as ``fad_vggish``."""

    keys: tuple[str, ...]

    def reading(self, result: Result) -> Reading | None:
        """Return the score."""
        score = next((result.scores[key] for key in self.keys if key in result.scores), None)
        return None if score is None else _of_score(score, result.protocol)


def _of_score(score: Score, protocol: Mapping[str, Any]) -> Reading:
    """Return the reading of a score under a protocol."""
    counts = f"{score.num_generated}/{score.num_reference}"
    weights, marks = str(score.extractor.get("identity", "")) or "unnamed", protocol_marks(protocol)
    names = {key: as_text(value) for key, value in sorted(protocol.items())}
    condition = (*((f"protocol {key}", value) for key, value in names.items()), ("N", counts))
    return Reading(
        value=score.value,
        interval=score.interval,
        method=score.interval_method,
        num_generated=score.num_generated,
        num_reference=score.num_reference,
        condition=(*condition, ("network", weights)),
        ends=score.title,
        is_embedded=score.is_embedded,
        caveat=f"{' and '.join(marks)} protocol" if marks else "",
        draws=score.draws,
        drawn=("clips", score.drawn),
    )


@dataclass(frozen=True)
class Speed(ResultSource):
    """Real-time factor: seconds of computing for one second of sound, from text to waveform.

    Args:
        batch_size: sounds made at once.
        is_warm: of the calls whose captions were remembered.
    """

    batch_size: int = 1
    is_warm: bool = False

    def reading(self, result: Result) -> Reading | None:
        """Return the median over the calls.

        Figures of other hardware or lengths of sound, or timed otherwise, share no column.
        """
        for timing in result.timings:
            value = timing.rtf_warm if self.is_warm else timing.rtf_total
            if timing.batch_size == self.batch_size and value is not None and math.isfinite(value):
                hardware = as_text(result.provenance.get("hardware", "unknown"))
                length = f"{timing.audio_seconds:g}"
                condition = (("hardware", hardware), ("seconds of sound", length))
                calls = () if self.is_warm else timing.calls
                captions = as_text(result.provenance.get("captions", ""))
                return Reading(
                    value,
                    condition=(*condition, ("text memory", timing.text_memory)),
                    ends="RTF",
                    caveat=OLD_TIMING if timing.text_memory == AS_FOUND else "",
                    draws=_medians(calls, timing.audio_seconds),
                    drawn=("timed calls", f"{len(calls)} of {captions}"),
                )
        return None


def _medians(calls: Sequence[float], audio_seconds: float) -> tuple[tuple[float, ...], ...]:
    """Return the real-time factor of resampled calls: each has the same captions in every record of a protocol."""
    if len(calls) < 2:
        return ()
    seconds = np.asarray(calls) / audio_seconds
    return (tuple(resampled(lambda drawn: float(np.median(seconds[drawn])), len(seconds), _DRAWS, 0)),)


def in_full(number: float) -> str:
    """Return a number with all of its digits."""
    return f"{number:,.10g}"


@dataclass(frozen=True)
class Fact(ResultSource):
    """A number among the facts or the figures of a record, which is the same for each seed.

    Args:
        names: the first one that the record has and that is not null counts.
        plus: what is added to it.
        shown: how a number is written; words and lists are shown as text.
    """

    names: tuple[str, ...]
    plus: float = 0.0
    shown: Callable[[float], str] = in_full

    def reading(self, result: Result) -> Reading | None:
        """Return the number or text."""
        known = {**result.facts, **result.figures}
        found = next((known[name] for name in self.names if known.get(name) is not None), None)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            return Reading(None, as_text(found), is_exact=True)
        number = float(found + self.plus)
        if not math.isfinite(number):
            return Reading(None, str(number), is_exact=True)
        return Reading(number, self.shown(number), is_exact=True)


def in_millions(count: float) -> str:
    """Return a count of parameters in millions or billions, as the paper does."""
    size, unit = (1e9, "B") if count >= 999.5e6 else (1e6, "M")
    return f"{count / size:.3g}{unit}"


def in_hours(hours: float) -> str:
    """Return hours of sound with three digits but no fewer than all whole hours."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


@dataclass(frozen=True)
class Annotation(ResultSource):
    """How most rows of a corpus came to their captions, from the shares that ``stage=data`` counted."""

    def reading(self, result: Result) -> Reading | None:
        """Return caption, file name, label or multi label; None without the counts."""
        labels_a_row = result.figures.get("labels_a_row")
        is_multi = isinstance(labels_a_row, int | float) and labels_a_row > 1
        kinds = {
            "written": "caption",
            "from_names": "file name",
            "from_labels": f"{'multi ' * is_multi}label",
        }
        shares = {kind: result.figures.get(f"share_{name}") for name, kind in kinds.items()}
        known = {kind: share for kind, share in shares.items() if share is not None}
        return Reading(None, max(known, key=lambda kind: known[kind]), is_exact=True) if known else None


@dataclass(frozen=True)
class Listening(ReadingSource):
    """The mean opinion score of a listening test, which knows no seeds."""

    key: str

    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the score of the row under seed 0."""
        if (score := results.listening.get(row, {}).get(self.key)) is None:
            return {}
        method, count = score.interval_method, score.num_generated
        return {0: Reading(score.value, "", score.interval, method, count, is_seeded=False)}
