"""The page around the clips: headline, metrics, sanity rows, speed, provenance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audiolcm.pages.html import Html, asset, element, head, joined, scrolling
from audiolcm.storage.files import atomic_path
from evaluation.record import Crosscheck, Record, Score
from evaluation.report.charts import stage_bar, stage_class, stage_seconds, whisker
from evaluation.report.clips import clips_section
from evaluation.tables.table import (
    DASH,
    EMBEDDED_NOTE,
    TEXT_MEMORY,
    as_text,
    build_table,
    cell,
    column,
    decimals,
    protocol_title,
)

REPORT_NAME = "report.html"
DEFAULT_CLIPS = 24


def write_report(record: Record, folder: Path, max_clips: int = DEFAULT_CLIPS) -> Path:
    """Write ``report.html`` beside the record: one file that holds everything, sounds too, and return its path.

    Args:
        record: the evaluation; the files of its clips are looked for in ``folder``.
        folder: where the record lies.
        max_clips: how many clips can be heard; scores are listed for all.

    Raises:
        UserError: when a sound is missing or damaged, or the page cannot be written.
    """
    path = folder / REPORT_NAME
    page = render(record, folder, max_clips)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(record: Record, folder: Path, max_clips: int = DEFAULT_CLIPS) -> str:
    """Return the page."""
    sections = [
        _metrics(record),
        _verdicts(record),
        _sanity(record),
        crosschecks_section(record),
        _speed(record),
        clips_section(record, folder, max_clips),
        _provenance(record),
    ]
    skip = element("a", "Skip to the clips", href="#clips", class_="skip")
    body = element("body", skip, _headline(record), element("main", *sections), element("script", _scripts()))
    title = f"{record.row.system}: {protocol_title(record.protocol)}"
    top = head(title, joined(asset("page.css"), asset("report.css", "evaluation.report")), _scripts())
    return "<!doctype html>\n" + element("html", top, body, lang="en") + "\n"


def _scripts() -> Html:
    return joined(asset("player.js"), asset("report.js", "evaluation.report"))


def _headline(record: Record) -> Html:
    made_in = {"precision": record.provenance["precision"]} if "precision" in record.provenance else {}
    facts = [
        element("div", element("dt", key.replace("_", " ")), element("dd", as_text(value)))
        for key, value in (record.row.facts | made_in).items()
    ]
    return element(
        "header",
        element("p", "Evaluation", class_="eyebrow"),
        element("h1", record.row.system),
        element("p", protocol_title(record.protocol), class_="protocol"),
        element("dl", *facts, class_="facts") if facts else None,
        class_="headline",
    )


def _metrics(record: Record) -> Html:
    """Return the metrics; those of networks trained here stand in a list of their own."""
    parts = []
    for is_embedded in (False, True):
        metrics = [_metric(score, record) for score in record.row.scores if score.is_embedded == is_embedded]
        if metrics and is_embedded:
            parts.append(element("h3", "Embedded evaluator"))
            parts.append(element("p", f"{EMBEDDED_NOTE[0].upper()}{EMBEDDED_NOTE[1:]}.", class_="hint"))
        parts += [element("ul", *metrics, class_="metrics")] if metrics else []
    if record.sanity and parts:
        ticks = "Thin ticks on the axes are the sanity rows of the same metric."
        parts.append(element("p", ticks, class_="hint"))
    parts = parts or [element("p", "None were asked for.")]
    return element("section", element("h2", "Metrics"), *parts, id="metrics")


def _metric(score: Score, record: Record) -> Html:
    value, interval = cell(score).figures
    sanity = [
        (row.system, other.value) for row in record.sanity for other in row.scores if other.key == score.key
    ]
    network = " ".join(str(score.extractor[key]) for key in ("name", "identity") if key in score.extractor)
    badge = element("span", "embedded", class_="badge") if score.is_embedded else None
    notes = [element("li", note) for note in (*_interval_notes(score), *score.notes)]
    better = f"{score.better} is better"
    told = element("p", better, f" · {network}" if network else None, class_="network")
    return element(
        "li",
        element("div", element("h3", score.title, badge), told),
        element("p", element("strong", value), " ", interval, class_="figure"),
        element("div", whisker(score, sanity), class_="whisker"),
        element("p", cell(score).count, class_="count"),
        element("ul", *notes, class_="notes") if notes else None,
        class_="metric",
    )


def _interval_notes(score: Score) -> list[str]:
    notes = []
    if score.interval is not None:
        notes.append(f"95% interval{f': {score.interval_method}' if score.interval_method else ''}")
    if len(score.per_seed) > 1:
        places = decimals(score.value)
        seeds = ", ".join(f"{value:.{places}f}" for value in score.per_seed)
        notes.append(f"mean of {len(score.per_seed)} generation seeds: {seeds}")
    return notes


def _verdicts(record: Record) -> Html | None:
    """Return the verdicts, then what a reader must know of the protocol and of the sounds."""
    said = [*record.verdicts, *map(str, record.protocol.get("notes", ())), *record.notes]
    if not said:
        return None
    sentences = element("ul", *(element("li", sentence) for sentence in said), class_="verdicts")
    return element("section", element("h2", "In words"), sentences, id="verdicts")


def _sanity(record: Record) -> Html | None:
    """Return the table of the system and, set apart, the sanity rows."""
    if not record.sanity:
        return None
    table = build_table([record])
    scored = [found for found in table.columns if not found.key.startswith("rtf_")]
    heads = [element("th", "System", scope="col")]
    heads += [_number_head(found.heading) for found in scored]

    def row(label: str, cells: dict[str, Any]) -> Html:
        shown = [" ".join(cells[found.key].figures) if found.key in cells else DASH for found in scored]
        return element("tr", element("th", label, scope="row"), *map(_number, shown))

    bodies = [
        element("tbody", *(row(line.label, line.cells) for line in lines), class_=kind)
        for kind, lines in (("system", table.lines), ("sanity", table.sanity))
    ]
    inner = element("table", element("thead", element("tr", *heads)), *bodies)
    return element("section", element("h2", "Sanity rows"), scrolling(inner, "Sanity rows"), id="sanity")


def _speed(record: Record) -> Html | None:
    if not record.timings:
        return None
    order = list(dict.fromkeys(name for timing in record.timings for name in stage_seconds(timing)))
    slowest = max(timing.rtf_total for timing in record.timings)
    bars = []
    for timing in record.timings:
        sampler = "" if timing.rtf_sampler is None else f"sampler alone {_short(timing.rtf_sampler)} · "
        warm = "" if timing.rtf_warm is None else f", remembered: {_short(timing.rtf_warm)}"
        title = element("p", element("b", f"Batch {timing.batch_size}"), f" RTF {_short(timing.rtf_total)}")
        told = (
            f"{sampler}{timing.audio_seconds:g} s of audio · NFE {timing.nfe} · {timing.num_runs} calls after "
            f"{timing.num_warmup} for warming up · {TEXT_MEMORY[timing.text_memory]}{warm}"
        )
        hint = element("p", told, class_="hint")
        bars.append(element("div", title, stage_bar(timing, slowest, order), hint))
    known = [key for key in ("hardware", "device", "precision", "num_threads") if key in record.provenance]
    where = " · ".join(f"{key.replace('_', ' ')}: {as_text(record.provenance[key])}" for key in known)
    return element(
        "section",
        element("h2", "Speed"),
        element("p", "RTF is seconds of computing for one second of sound: lower is better."),
        element("p", where, class_="hint") if where else None,
        *bars,
        _stage_table(record, order),
        id="speed",
    )


def _short(value: float) -> str:
    return f"{value:.3g}"


def _stage_table(record: Record, order: Sequence[str]) -> Html:
    """Return milliseconds by stage: median and 95th percentile of every batch size."""
    heads = [element("th", "Milliseconds a call", scope="col")]
    for timing in record.timings:
        heads += [_number_head(f"batch {timing.batch_size}, {kind}") for kind in ("median", "p95")]
    rows = []
    for name in (*order, "total", "sampler"):
        cells = []
        for timing in record.timings:
            figures = timing.stages | {"total": timing.total, "sampler": timing.sampler}
            rest = {"median": stage_seconds(timing).get(name)}
            found = figures.get(name, rest)
            seconds = [found.get(kind) for kind in ("median", "p95")]
            cells += [_number(DASH if value is None else f"{1000 * value:.4g}") for value in seconds]
        swatch = element("span", class_=f"swatch {stage_class(name, order)}") if name in order else None
        rows.append(element("tr", element("th", swatch, name, scope="row"), *cells))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return scrolling(table, "Seconds by stage")


def _number_head(text: str) -> Html:
    return element("th", text, scope="col", class_="number")


def _number(text: str) -> Html:
    return element("td", text, class_="number")


def _provenance(record: Record) -> Html:
    networks = {column(score).heading: score.extractor | score.details for score in record.row.scores}
    content = {"provenance": record.provenance, "protocol": record.protocol, "metrics": networks}
    parts = [
        joined(element("h3", title.capitalize()), _tree(value)) for title, value in content.items() if value
    ]
    return element("details", element("summary", "Provenance"), *parts, id="provenance")


def _tree(value: Any) -> Html:
    """Return a value of a record's JSON as nested lists of terms."""
    if not isinstance(value, dict):
        return joined(as_text(value))
    terms = [joined(element("dt", key), element("dd", _tree(inner))) for key, inner in value.items()]
    return element("dl", *terms, class_="tree")


_HEADS = ("Metric", "Package", "Theirs", "Ours", "Difference", "Relative", "Heard otherwise by ours")
_NUMBERS = _HEADS[2:6]


def crosschecks_section(record: Record) -> Html | None:
    """Return the table of crosschecks; None where none was asked for."""
    if not record.crosschecks:
        return None
    heads = [_number_head(name) if name in _NUMBERS else element("th", name, scope="col") for name in _HEADS]
    rows = [_row(one) for one in record.crosschecks]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element(
        "section",
        element("h2", "Crosscheck"),
        element("p", "The packages' own classes on the same files, with the same weights."),
        scrolling(table, "Crosscheck"),
        id="crosscheck",
    )


def _row(one: Crosscheck) -> Html:
    figures = [(one.theirs, ".9g"), (one.ours, ".9g"), (one.difference, ".1e"), (one.relative, ".1e")]
    numbers = [_number(DASH if value is None else format(value, form)) for value, form in figures]
    notes = [*([f"No figure: {one.problem}"] if one.problem else []), *one.notes]
    said = element("td", "; ".join(notes))
    return element("tr", element("th", one.title, scope="row"), element("td", one.package), *numbers, said)
