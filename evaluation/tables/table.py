"""One table of one or several evaluations, made from their records; ``table_formats`` writes it.

A table belongs to one protocol, a column to one metric by one network. Each cell has a value, its 95% interval and N.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audiolcm.errors import UserError
from evaluation.record import AS_FOUND, COLD, Record, RecordRow, Score

SIGNIFICANT = 3  # without an interval; with one its width decides, up to one digit more
MOST_DECIMALS = 6
NOTHING = 1e-9  # what rounding leaves of 0
DASH = "-"
EMBEDDED_NOTE = "embedded: scored by a network trained here, not comparable with published figures"
_ARROWS = {"lower": "↓", "higher": "↑"}
_RATE, _FROM_ZERO = (0.0, 1.0), (0.0, math.inf)
_RANGES = {
    "FAD": _FROM_ZERO, "FD": _FROM_ZERO, "KL": _FROM_ZERO, "KL exact": _FROM_ZERO, "KL reversed": _FROM_ZERO,
    "IS": (1.0, math.inf), "CLAP": (-1.0, 1.0), "CLAP, clamped": _RATE, "Hit rate": _RATE, "Event recall": _RATE,
    "Counts": _RATE, "Order": _RATE, "RTF": _FROM_ZERO, "Frame deviation": _FROM_ZERO,
}  # fmt: skip
"""Between which ends a figure of a title lies; KAD, which is unbiased, and extrapolated FAD have none."""

TEXT_MEMORY = {
    COLD: "each call encodes its captions",
    AS_FOUND: "timed the old way: captions may have been remembered from before, without the text encoder then",
}
"""What a reader must know of how RTF was timed."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One metric by one network, whose weights have ``identity``."""

    key: str
    title: str
    better: str
    is_embedded: bool = False
    identity: str = ""

    @property
    def name(self) -> str:
        """The title, marked when embedded."""
        return f"{self.title}, embedded" if self.is_embedded else self.title

    @property
    def heading(self) -> str:
        """The name with an arrow that tells where better is."""
        return f"{self.name} {_ARROWS.get(self.better, '')}".rstrip()


@dataclasses.dataclass(frozen=True)
class Estimate:
    """One figure: 95% interval if it has one, and the sounds on either side (0: needs none)."""

    value: float
    interval: tuple[float, float] | None = None
    num_generated: int = 0
    num_reference: int = 0

    @property
    def figures(self) -> tuple[str, str]:
        """Value and interval ("" without one) as text, with digits of the same weight."""
        places = decimals(self.value, self.interval)
        value, *ends = (
            f"{round(end, places) + 0.0:.{places}f}" for end in (self.value, *(self.interval or ()))
        )
        interval = ", ".join(ends)
        return value, interval and f"[{interval}]"

    @property
    def count(self) -> str:
        """Such as ``N=900/886`` (generated / reference); "" when nothing was counted."""
        counts = [str(count) for count in (self.num_generated, self.num_reference) if count]
        return f"N={'/'.join(counts)}" if counts else ""


@dataclasses.dataclass(frozen=True)
class TableLine:
    """One system: its name and its cells by the key of their column; a metric that it lacks has none."""

    label: str
    cells: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class Table:
    """Systems under one protocol; ``sanity`` is set apart beneath them, then come the notes."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[TableLine, ...]
    sanity: tuple[TableLine, ...]
    notes: tuple[str, ...]


def within(number: float, title: str) -> float:
    """Return a number, or the end that figures of this title ("FAD (VGGish)") have where it lies beyond that.

    So end intervals that are made as if there were no end, and the 1e-6 within KL, which makes that of equal sounds as
    much smaller than 0 as there are classes.
    """
    least, most = _RANGES.get(title.partition(" (")[0], (-math.inf, math.inf))
    return min(max(number, least), most)


def cut_note(titles: Iterable[str]) -> list[str]:
    """Return the sentence on figures of these titles that ``within`` cut; none when it cut none."""
    words = ", ".join(dict.fromkeys(titles))
    told = f"{words}: intervals are cut where such figures end, and what rounding leaves of 0 is 0"
    return [told] if words else []


def decimals(value: float, interval: tuple[float, float] | None = None) -> int:
    """Return how many digits behind the point are honest.

    Three significant digits; with an interval as many as show two of its half width, but four significant at most.
    """
    places = SIGNIFICANT - 1 - _exponent(max(abs(number) for number in (value, *(interval or ()))))
    if interval is not None and interval[1] - interval[0] > NOTHING:
        places = min(places + 1, 1 - _exponent((interval[1] - interval[0]) / 2))
    return min(max(places, 0), MOST_DECIMALS)


def _exponent(number: float) -> int:
    return math.floor(math.log10(number)) if number > NOTHING else 0


def protocol_marks(protocol: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words that mark a protocol which was not followed whole: partial, unchecked, changed."""
    return tuple(protocol.get("marks") or ("partial",) * bool(protocol.get("is_subset")))


def protocol_title(protocol: Mapping[str, Any]) -> str:
    """Return the protocol's title for people, marked where it was not followed whole."""
    title = str(protocol.get("title") or protocol.get("name") or "no protocol")
    if "marks" in protocol or not protocol.get("is_subset"):  # a record of today has them in its title
        return title
    return f"{title} (partial: {protocol.get('num_clips', 'some')} captions)"


def column(score: Score) -> Column:
    """Return the column that a score belongs to."""
    identity = str(score.extractor.get("identity", ""))
    return Column(score.key, score.title, score.better, score.is_embedded, identity)


def cell(score: Score) -> Estimate:
    """Return the cell of a score, cut where such figures end."""
    value, *ends = (within(end, score.title) for end in (score.value, *(score.interval or ())))
    interval = (ends[0], ends[1]) if ends else None
    return Estimate(value, interval, score.num_generated, score.num_reference)


def build_table(records: Sequence[Record]) -> Table:
    """Join records into one table.

    Raises:
        UserError: when there are none, they follow different protocols, or used different weights for one metric.
    """
    if not records:
        raise UserError("There is no record to make a table of. Run `python evaluate.py` first.")
    _require_one_protocol(records)
    columns: dict[str, Column] = {}
    for record in records:
        for row in (record.row, *record.sanity):
            for score in row.scores:
                _require_one_network(columns.setdefault(score.key, column(score)), column(score), row.system)
        for found, _ in timings(record):
            _require_one_timing(columns.setdefault(found.key, found), found, record.row.system)
    lines = [
        TableLine(label, _cells(record.row) | {found.key: timed for found, timed in timings(record)})
        for label, record in zip(_labels([record.row for record in records]), records, strict=True)
    ]
    title = protocol_title(records[0].protocol)
    notes = tuple(dict.fromkeys(note for record in records for note in _notes(record)))
    return Table(title, tuple(columns.values()), tuple(lines), tuple(_sanity_lines(records)), notes)


def _require_one_protocol(records: Sequence[Record]) -> None:
    first = records[0]
    for other in records[1:]:
        if other.protocol == first.protocol:
            continue
        keys = sorted(first.protocol.keys() | other.protocol.keys())
        odd = [key for key in keys if first.protocol.get(key) != other.protocol.get(key)]
        values = ", ".join(f"{key}: {first.protocol.get(key)} / {other.protocol.get(key)}" for key in odd)
        raise UserError(
            f"{first.row.system} was evaluated under {protocol_title(first.protocol)}, {other.row.system} under "
            f"{protocol_title(other.protocol)}: figures of different protocols share no table ({values}). "
            "Evaluate both with the same protocol=... and num_clips=..."
        )


def _require_one_network(first: Column, other: Column, system: str) -> None:
    if first != other:
        raise UserError(
            f"{other.heading} of {system} (weights {other.identity or 'unnamed'}) cannot share a column with "
            f"{first.heading} (weights {first.identity or 'unnamed'}): evaluate both with the same weights."
        )


def _require_one_timing(first: Column, other: Column, system: str) -> None:
    if first != other:
        raise UserError(
            f"{other.title} of {system} was timed with the text memory {other.identity}, others {first.identity}: the "
            "text encoder may be in the one and not in the other. Evaluate both again with this version."
        )


def _labels(rows: Sequence[RecordRow]) -> list[str]:
    """Name rows by their system and, where several have the same, by the facts in which these differ."""
    labels = []
    for row in rows:
        namesakes = [other.facts for other in rows if other.system == row.system]
        odd = [k for k in row.facts if any(facts.get(k) != row.facts[k] for facts in namesakes)]
        facts = ", ".join(f"{key} {row.facts[key]}" for key in odd)
        labels.append(f"{row.system} ({facts})" if odd else row.system)
    return labels


def _cells(row: RecordRow) -> dict[str, Estimate]:
    return {score.key: cell(score) for score in row.scores}


def timings(record: Record) -> Iterable[tuple[Column, Estimate]]:
    """Yield the columns and cells of speed for each batch size; N counts calls.

    RTF in all, of the same calls with their captions remembered (warm), and of the sampler. Of what a system does not
    do or tell there is none.
    """
    for timing in record.timings:
        figures = (
            ("RTF", timing.rtf_total, timing.text_memory),
            ("RTF warm", timing.rtf_warm, ""),
            ("RTF sampler", timing.rtf_sampler, ""),
        )
        for name, value, identity in figures:
            if value is None:
                continue
            key = f"{name.lower().replace(' ', '_')}_{timing.batch_size}"
            found = Column(key, f"{name} (batch {timing.batch_size})", "lower", identity=identity)
            yield found, Estimate(value, None, timing.num_runs)


def _sanity_lines(records: Sequence[Record]) -> list[TableLine]:
    """Return each sanity row once; those that depend on the system are named with it."""
    rows = [(record.row.system, row.system, _cells(row)) for record in records for row in record.sanity]
    distinct = [entry for i, entry in enumerate(rows) if entry[1:] not in [other[1:] for other in rows[:i]]]
    count = Counter(name for _, name, _ in distinct)
    names = [f"{name} ({system})" if count[name] > 1 else name for system, name, _ in distinct]
    return [TableLine(name, cells) for name, (_, _, cells) in zip(names, distinct, strict=True)]


def _notes(record: Record) -> Iterable[str]:
    system = record.row.system
    if record.row.facts:
        yield f"{system}: {', '.join(f'{key} {value}' for key, value in record.row.facts.items())}"
    scores = [score for row in (record.row, *record.sanity) for score in row.scores]
    if any(score.is_embedded for score in scores):
        yield EMBEDDED_NOTE
    uncertain = [score for score in scores if score.interval is not None]
    for method in dict.fromkeys(score.interval_method for score in uncertain):
        titles = dict.fromkeys(score.title for score in uncertain if score.interval_method == method)
        yield f"95% intervals of {', '.join(titles)}: {method or 'method not recorded'}"
    yield from cut_note(score.title for score in scores if _is_cut(score))
    yield from map(str, record.protocol.get("notes", ()))
    yield from (f"{system}: {note}" for note in record.notes)
    yield from (f"{score.title}: {note}" for score in scores for note in score.notes)
    for timing in record.timings:
        yield (
            f"RTF of {system}, batch {timing.batch_size}: median of {timing.num_runs} calls after {timing.num_warmup} "
            f"for warming up, {timing.audio_seconds:g} s of audio, NFE {timing.nfe}, on "
            f"{as_text(record.provenance.get('hardware', 'unknown hardware'))}; {TEXT_MEMORY[timing.text_memory]}"
        )
    yield from (f"{system}: {verdict}" for verdict in record.verdicts)


def _is_cut(score: Score) -> bool:
    return (cell(score).value, cell(score).interval) != (score.value, score.interval)


def as_text(value: Any) -> str:
    """Return a value of a record's JSON as one line for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {as_text(inner)}" for key, inner in value.items())
    return ", ".join(map(as_text, value)) if isinstance(value, list | tuple) else str(value)
