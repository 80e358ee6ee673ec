"""A look at sounds before they are scored: what would bend a figure is told with names and counts, and stops it."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audiolcm.audio.io import read_facts
from audiolcm.errors import UserError

TOLERANCES = ("stereo", "sample_rates", "durations", "missing_references", "few_clips")
_LONGER_OR_SHORTER = 0.1  # seconds that a generated sound may differ from the protocol's length
_THREADS = 4


@dataclasses.dataclass(frozen=True)
class Header:
    """What a sound file says of itself; ``trouble`` says why it cannot be read, or is ""."""

    path: Path
    sample_rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    trouble: str = ""


def inspect(
    what: str, paths: Sequence[Path], seconds: float | None, tolerated: Collection[str], at_least: float = 0.0
) -> tuple[str, ...]:
    """Return what a reader of the figures must know of these sounds; raise when it would bend them.

    Args:
        what: which sounds these are, for messages.
        paths: the files.
        seconds: the length that each must have, within 0.1 s; None for any.
        tolerated: kinds of trouble that the user accepts, of ``TOLERANCES``; they become notes.
        at_least: seconds that each should have where ``seconds`` is None, within 0.1 s.

    Raises:
        UserError: naming counts and the first files of every kind of trouble that is not tolerated; files that can
            not be opened are never tolerated.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        headers = list(pool.map(_header, dict.fromkeys(paths)))
    if broken := [header for header in headers if header.trouble]:
        raise UserError(
            f"{what}: {len(broken)} of {len(headers)} files cannot be opened, the first: {broken[0].trouble} Nothing "
            "was scored."
        )
    found = {
        "stereo": _named("have several channels", [h for h in headers if h.channels > 1]),
        "sample_rates": _odd_rates(headers),
        "durations": _short(headers, at_least) if seconds is None else _odd_lengths(headers, seconds),
    }
    told = {kind: text for kind, text in found.items() if text}
    if refused := [kind for kind in told if kind not in tolerated]:
        raise UserError(
            f"{what}, {len(headers)} files: {'; '.join(told[kind] for kind in refused)}. Nothing was scored. Repair "
            f"the files, or accept it: allow=[{','.join(sorted({*tolerated, *refused}))}]."
        )
    return tuple(f"{what}: {text}" for text in told.values())


def longest_of(paths: Sequence[Path]) -> float:
    """Return the seconds of the longest file, as their headers say; 0 where none of them is there."""
    there = [path for path in dict.fromkeys(paths) if path.is_file()]
    with ThreadPoolExecutor(_THREADS) as pool:
        return max((header.seconds for header in pool.map(_header, there)), default=0.0)


def check_tolerances(allowed: Sequence[str]) -> None:
    """Refuse an unknown word of ``allow``.

    Raises:
        UserError: naming it, and those that there are.
    """
    if unknown := sorted(set(allowed) - set(TOLERANCES)):
        raise UserError(f"allow={unknown[0]} is unknown: choose of {', '.join(TOLERANCES)}.")


def _header(path: Path) -> Header:
    try:
        facts = read_facts(path)
    except UserError as error:
        return Header(path, trouble=str(error))
    return Header(path, facts.sample_rate, facts.channels, facts.num_samples / facts.sample_rate)


def _odd_rates(headers: Sequence[Header]) -> str:
    rates = Counter(header.sample_rate for header in headers)
    if len(rates) < 2:
        return ""
    common = rates.most_common(1)[0][0]
    counts = ", ".join(f"{count} at {rate} Hz" for rate, count in rates.most_common())
    return f"sample rates are mixed ({counts}; {_names([h for h in headers if h.sample_rate != common])})"


def _short(headers: Sequence[Header], seconds: float) -> str:
    short = [header for header in headers if header.seconds < seconds - _LONGER_OR_SHORTER]
    return f"{len(short)} are shorter than {seconds:g} s ({_names(short)})" if short else ""


def _odd_lengths(headers: Sequence[Header], seconds: float) -> str:
    odd = [header for header in headers if abs(header.seconds - seconds) > _LONGER_OR_SHORTER]
    if not odd:
        return ""
    lengths = [header.seconds for header in odd]
    span = f"{min(lengths):.2f} to {max(lengths):.2f} s"
    return f"{len(odd)} last {span} instead of {seconds:g} s ({_names(odd)})"


def _named(what: str, headers: Sequence[Header]) -> str:
    return f"{len(headers)} {what} ({_names(headers)})" if headers else ""


def _names(headers: Sequence[Header]) -> str:
    names = ", ".join(header.path.name for header in headers[:3])
    return names if len(headers) <= 3 else f"{names}, ..."
