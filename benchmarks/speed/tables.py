"""Results as Markdown."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.growth import slope_in_words
from benchmarks.speed.results import Result, read, write_text
from benchmarks.speed.summary import Measured, ratio

GIB = 2**30
_HEAD = "| | median | p95 | least | floor | times the floor | times as long as the first | memory |"


def seconds(value: float | None) -> str:
    """Return seconds for people."""
    if value is None:
        return ""
    return f"{1e3 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def measured_table(result: Result) -> str:
    """Return the cases of a result, each with its floor, and how long it takes beside the first."""
    lines = [_HEAD, "|---|---:|---:|---:|---:|---:|---:|---:|"]
    return "\n".join(lines + [_row(one, result) for one in result.measured])


def _row(one: Measured, result: Result) -> str:
    first = result.measured[0]
    beside = "" if one is first or result.axis else str(ratio(one, first))
    told = [f"`{one.name}`"] + [one.precision] * (one.flops > 0 and not one.case.precision)
    told += [one.version] * (one.version != "here")
    cells = [
        ", ".join(told),
        *map(seconds, (one.median, one.p95, one.least, one.floor)),
        f"{one.distance:.2f}" if one.distance else "",
        beside,
        f"{one.peak_bytes / GIB:.2f} GiB",
    ]
    return f"| {' | '.join(cells)} |"


def stages_table(measured: Sequence[Measured]) -> str:
    """Return the stages of text to waveform, and the real-time factor."""
    names = list(measured[0].stages)
    head = f"| | {' | '.join(names)} | whole | real-time factor |"
    rows = [
        f"| `{one.name}` | {' | '.join(seconds(one.stages[name]) for name in names)} | {seconds(one.median)} | "
        f"{one.real_time_factor:.3g} |"
        for one in measured
    ]
    return "\n".join([head, "|---" + "|---:" * (len(names) + 2) + "|", *rows])


def conditions(result: Result) -> str:
    """Return one line: on what, when and how a result was measured."""
    told = result.machine
    abilities = f" with {', '.join(told['abilities'])}" if told["abilities"] else ""
    threads = result.measured[0].threads if result.measured else told["threads"]
    return (
        f"{told['hardware']}{abilities}, {threads} threads, torch {told['torch']}, code {told['commit']}, "
        f"{result.date}: `{result.command}`"
    )


def section(result: Result, picture: str = "") -> str:
    """Return a result with its heading; of one that grows the picture too, and the slope in words."""
    parts = [f"### {result.title}", conditions(result), measured_table(result)]
    if all(one.stages for one in result.measured):
        parts.append(stages_table(result.measured))
    if result.axis:
        parts.append(slope_in_words(result))
        parts.append(f"![{result.title}: seconds against {result.axis}]({picture})" if picture else "")
    return "\n\n".join(filter(None, parts))


def summary_page(folder: Path) -> None:
    """Write the README of a folder of results, which shows all of them."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    sections = [section(result, f"{result.file_stem}.svg" if result.axis else "") for result in found]
    write_text(folder / "README.md", "\n\n".join([f"# {folder.name}", *sections]) + "\n")
