"""The record of one evaluation, as ``metrics.json`` keeps it: every table, picture and report is made from it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import sealed, unsealed
from audiolcm.storage.plain_data import read_json

FORMAT_VERSION = 1
COLD, AS_FOUND = "cold", "as found"
"""The memory of captions' text features when a call is timed: see ``Timing``."""


@dataclasses.dataclass(frozen=True)
class Score:
    """One figure of one system.

    Attributes:
        key: such as ``fad_vggish``.
        title: heads its column and names the network, such as "FAD (VGGish)".
        value: its mean over the generation seeds.
        better: "lower" or "higher".
        interval: 95%, low and high; None where it makes no sense.
        interval_method: how it was found.
        per_seed: one value a seed.
        num_generated: sounds that were made.
        num_reference: true sounds (0: the metric needs none).
        extractor: name, identity and weights of the network.
        is_embedded: whether that was trained here, and is not comparable with papers.
        details: whatever else belongs to it, such as the spread of the ten splits of IS.
        notes: what a reader must know, such as "900 clips for 2048 dimensions".
        per_clip: the scores that the value is the mean of, by clip; empty for metrics of whole sets.
        draws: the figure of resampled clips, a tuple of draws for each generation seed.
        drawn: names the clips and the draws: two scores of the same ``drawn`` are pairs, draw by draw.
    """

    key: str
    title: str
    value: float
    better: str
    interval: tuple[float, float] | None = None
    interval_method: str = ""
    per_seed: tuple[float, ...] = ()
    num_generated: int = 0
    num_reference: int = 0
    extractor: dict[str, Any] = dataclasses.field(default_factory=dict)
    is_embedded: bool = False
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    per_clip: dict[str, float] = dataclasses.field(default_factory=dict)
    draws: tuple[tuple[float, ...], ...] = ()
    drawn: str = ""


@dataclasses.dataclass(frozen=True)
class ScoredClip:
    """One generated sound.

    Attributes:
        name: ``<clip>__<i>``.
        caption: what it was made from.
        audio: its file, relative to the record.
        reference: the true sound's file, relative to the record; None when there is none.
    """

    name: str
    caption: str
    audio: str
    reference: str | None = None


@dataclasses.dataclass(frozen=True)
class RecordRow:
    """One system under one protocol: its scores, and the facts that name it (steps, omega, NFE, artifact, ...)."""

    system: str
    facts: dict[str, Any]
    scores: tuple[Score, ...]


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of one batch size: medians and 95th percentiles over ``num_runs`` calls, by stage and in all.

    stages: text, denoiser, decoder, vocoder -> {"median": s, "p95": s}; ``total`` and ``sampler`` (the denoiser alone)
    likewise. rtf_total, rtf_sampler: median seconds for one second of audio. Of other people's pipelines only the total
    is known: ``stages`` and ``sampler`` are empty, ``rtf_sampler`` is None.

    text_memory: "cold", each timed call encodes its captions; or "as found", timed before that was made sure: their
    features may have lain in memory, and the text encoder is missing then. rtf_warm: of the same calls once more, their
    captions remembered; None where nothing remembers any. calls: seconds of each timed call.
    """

    batch_size: int
    num_runs: int
    num_warmup: int
    audio_seconds: float
    nfe: int
    stages: dict[str, dict[str, float]]
    total: dict[str, float]
    sampler: dict[str, float]
    rtf_total: float
    rtf_sampler: float | None
    text_memory: str = AS_FOUND
    rtf_warm: float | None = None
    calls: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Crosscheck:
    """A figure beside that of another package, of the same files and the same weights.

    Attributes:
        key: of the score.
        title: of the score.
        package: whose public class was run.
        ours: our figure.
        theirs: the package's; None where it gave none.
        difference: ours - theirs, or None.
        problem: why the package gave no figure.
        notes: in what ours hears the files otherwise.
    """

    key: str
    title: str
    package: str
    ours: float
    theirs: float | None
    difference: float | None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def relative(self) -> float | None:
        """The size of the difference, by that of their figure; None where either is not there or theirs is 0."""
        return None if not self.theirs or self.difference is None else abs(self.difference / self.theirs)

    def sentence(self) -> str:
        """Return it in words, for a terminal."""
        if self.theirs is None or self.difference is None:
            return f"{self.title}: ours {self.ours:.9g}, none by {self.package} ({self.problem})"
        share = "" if self.relative is None else f", relative {self.relative:.1e}"
        notes = f" ({'; '.join(self.notes)})" if self.notes else ""
        return (
            f"{self.title}: {self.package} {self.theirs:.9g}, ours {self.ours:.9g}, "
            f"difference {self.difference:.1e}{share}{notes}"
        )


@dataclasses.dataclass(frozen=True)
class Record:
    """One evaluation.

    Attributes:
        row: the system under evaluation.
        protocol: its name and all of its settings, ``title`` for people. Where it was not followed whole, both say so,
            ``marks`` in what, and ``is_subset`` is true where captions are missing.
        clips: the generated sounds.
        timings: how long it took to make them.
        sanity: silence, noise, reconstruction, ... under the same protocol.
        verdicts: sentences for people, such as "CLAP is no better than with shuffled captions".
        notes: what a reader must know of these sounds, such as "3 files have several channels".
        provenance: command, code version, hardware, date, data fingerprint, seconds.
        format_version: of the file.
        crosschecks: figures of other packages beside ours, where they were asked for.
    """

    row: RecordRow
    protocol: dict[str, Any]
    clips: tuple[ScoredClip, ...]
    timings: tuple[Timing, ...] = ()
    sanity: tuple[RecordRow, ...] = ()
    verdicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    crosschecks: tuple[Crosscheck, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return the record as JSON holds it; without crosschecks it is what it was before there were any."""
        content = dataclasses.asdict(self)
        if not self.crosschecks:
            del content["crosschecks"]
        return content

    def write(self, path: Path) -> None:
        """Write the record as JSON, atomically and sealed against change."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(sealed(self.content()), indent=1, allow_nan=False) + "\n")


def read_record(path: Path) -> Record:
    """Return a record that ``Record.write`` wrote.

    Raises:
        UserError: when the file is missing, damaged or of a newer format.
    """
    again = "Run `python evaluate.py` again."
    try:
        content = unsealed(read_json(path))
        if content["format_version"] > FORMAT_VERSION:
            raise UserError(f"{path} has format {content['format_version']}: upgrade audiolcm.")
        read: dict[str, Any] = {
            "row": _row(content["row"]),
            "sanity": tuple(map(_row, content["sanity"])),
            "clips": tuple(ScoredClip(**clip) for clip in content["clips"]),
            "timings": tuple(map(timing_of, content["timings"])),
            "crosschecks": tuple(map(_crosscheck, content.get("crosschecks", ()))),
        }
        return Record(**_with_tuples(content, "verdicts", "notes") | read)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {again}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not the record of an evaluation ({error}). {again}") from error


def _with_tuples(content: dict[str, Any], *names: str) -> dict[str, Any]:
    return content | {name: tuple(content[name]) for name in names}


def _row(content: dict[str, Any]) -> RecordRow:
    return RecordRow(content["system"], content["facts"], tuple(_score(score) for score in content["scores"]))


def _crosscheck(content: dict[str, Any]) -> Crosscheck:
    return Crosscheck(**_with_tuples(content, "notes"))


def _score(content: dict[str, Any]) -> Score:
    interval, draws = content["interval"], tuple(map(tuple, content.get("draws", ())))
    read: dict[str, Any] = {"interval": None if interval is None else tuple(interval), "draws": draws}
    return Score(**_with_tuples(content, "per_seed", "notes") | read)


def timing_of(content: Mapping[str, Any]) -> Timing:
    """Return a timing from its JSON; those from before it was told have a text memory "as found".

    Raises:
        TypeError, ValueError: it is none.
    """
    fields: dict[str, Any] = {**content, "calls": tuple(content.get("calls", ()))}
    timing = Timing(**fields)
    if timing.text_memory not in (COLD, AS_FOUND):
        raise ValueError(f"a timing has the text memory {timing.text_memory!r}, not {COLD} or {AS_FOUND}")
    return timing
