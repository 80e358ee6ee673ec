"""Where a measured column takes its figures from: scores, timings, facts and figures of records, listening tests."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evaluation.metrics.bootstrap import resampled
from evaluation.record import AS_FOUND, Score
from evaluation.tables.table import as_text
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
        network: who listened, for a heading; "" for none.
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
    network: str = ""
    is_exact: bool = False
    is_seeded: bool = True
    ends: str = ""
    is_embedded: bool = False
    caveat: str = ""
    draws: tuple[tuple[float, ...], ...] = ()
    drawn: tuple[str, str] = ("", "")


class Source(Protocol):
    """One place of figures."""

    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the readings of a row by seed; jobs without that figure are not in it."""
        ...


class OfResults(ABC):
    """A source that reads one result at a time."""

    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the readings of a row by seed."""
        found = {result.seed: self.reading(result) for result in results.of(row)}
        return {seed: reading for seed, reading in found.items() if reading is not None}

    @abstractmethod
    def reading(self, result: Result) -> Reading | None:
        """Return the figure of one result; None when it has none."""


@dataclass(frozen=True)
class ScoreKey(OfResults):
    """The score with a key, such as ``fad_vggish``."""

    key: str

    def reading(self, result: Result) -> Reading | None:
        """Return the score."""
        score = result.scores.get(self.key)
        return None if score is None else of_score(score, result.protocol)


@dataclass(frozen=True)
class FirstOf(OfResults):
    """The first of several sources that a result has."""

    sources: tuple[OfResults, ...]

    def reading(self, result: Result) -> Reading | None:
        """Return its reading."""
        found = (source.reading(result) for source in self.sources)
        return next((reading for reading in found if reading is not None), None)


def of_score(score: Score, protocol: Mapping[str, Any]) -> Reading:
    """Return the reading of a score under a protocol."""
    counts = f"{score.num_generated}/{score.num_reference}"
    weights = str(score.extractor.get("identity", "")) or "unnamed"
    names = {key: as_text(value) for key, value in sorted(protocol.items())}
    condition = (*((f"protocol {key}", value) for key, value in names.items()), ("N", counts))
    return Reading(
        value=score.value,
        interval=score.interval,
        method=score.interval_method,
        num_generated=score.num_generated,
        num_reference=score.num_reference,
        condition=(*condition, ("network", weights)),
        network="embedded evaluator" if score.is_embedded else score.title,
        ends=score.title,
        is_embedded=score.is_embedded,
        draws=score.draws,
        drawn=("clips", score.drawn),
    )


@dataclass(frozen=True)
class Speed(OfResults):
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


@dataclass(frozen=True)
class Fact(OfResults):
    """A number among the facts or the figures of a record, which is the same for each seed.

    Args:
        names: the first one that the record has and that is not null counts.
        plus: what is added to it.
    """

    names: tuple[str, ...]
    plus: float = 0.0

    def reading(self, result: Result) -> Reading | None:
        """Return the number, or words and lists as text."""
        for name in self.names:
            found = result.figures.get(name, result.facts.get(name))
            if found is not None:
                is_number = isinstance(found, int | float)
                return _exact(found + self.plus if self.plus and is_number else found)
        return None


def _exact(found: Any) -> Reading:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return Reading(None, as_text(found), is_exact=True)
    if not math.isfinite(found):
        return Reading(None, str(found), is_exact=True)
    return Reading(float(found), f"{found:,.10g}", is_exact=True)


@dataclass(frozen=True)
class Millions(Fact):
    """A count of parameters, shown in millions or billions as the paper does."""

    def reading(self, result: Result) -> Reading | None:
        """Return the count."""
        found = super().reading(result)
        if found is None or found.value is None:
            return found
        size, unit = (1e9, "B") if found.value >= 999.5e6 else (1e6, "M")
        return Reading(found.value, f"{found.value / size:.3g}{unit}", is_exact=True)


@dataclass(frozen=True)
class Hours(Fact):
    """Hours of sound, shown with three digits but no fewer than all whole hours."""

    def reading(self, result: Result) -> Reading | None:
        """Return the hours."""
        found = super().reading(result)
        if found is None or found.value is None:
            return found
        return Reading(
            found.value, f"{found.value:,.0f}" if found.value >= 100 else f"{found.value:.3g}", is_exact=True
        )


@dataclass(frozen=True)
class Annotation(OfResults):
    """How most rows of a corpus came to their captions, from the shares that ``stage=data`` counted."""

    def reading(self, result: Result) -> Reading | None:
        """Return caption, file name, label or multi label; None without the counts."""
        shares = {
            name: result.figures.get(f"share_{name}") for name in ("written", "from_names", "from_labels")
        }
        known = {name: share for name, share in shares.items() if share is not None}
        if not known:
            return None
        labels = "multi label" if _number(result.figures.get("labels_a_row")) > 1 else "label"
        kinds = {"written": "caption", "from_names": "file name", "from_labels": labels}
        return Reading(None, kinds[max(known, key=lambda name: known[name])], is_exact=True)


def _number(found: Any) -> float:
    return found if isinstance(found, int | float) else 0.0


@dataclass(frozen=True)
class Listening:
    """The mean opinion score of a listening test, which knows no seeds."""

    key: str

    def readings(self, results: ItemResults, row: str) -> dict[int, Reading]:
        """Return the score of the row under seed 0."""
        score = results.listening.get(row, {}).get(self.key)
        if score is None:
            return {}
        return {
            0: Reading(
                score.value,
                interval=score.interval,
                method=score.interval_method,
                num_generated=score.num_generated,
                is_seeded=False,
            )
        }
