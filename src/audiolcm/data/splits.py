"""Cutting a validation part off a data set that has none: by hash, so that it is the same everywhere."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from audiolcm.errors import UserError


def hash_order(key: str) -> str:
    """Return a fixed pseudo-random sort key of a string."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()  # of a name that is no UTF-8 too


def is_held_out(key: str, every: int) -> bool:
    """Return whether a key is held out: about one in ``every``, always the same ones; every = 0 holds out none."""
    if every < 0:
        raise UserError(f"validation_every={every}: use 0 (none) or the number of clips per validation clip.")
    return every > 0 and int(hash_order(key), 16) % every == 0


def held_out_keys(keys: Iterable[str], every: int, usable: Callable[[str], bool]) -> tuple[set[str], str]:
    """Return the keys that ``is_held_out`` takes, but of two usable keys or more at least one, and never all.

    Args:
        keys: all of them.
        every: one key in so many is held out.
        usable: whether a key's clips can be used.

    Returns:
        The keys, and the one that was added or taken away for that, "" mostly.
    """
    known = dict.fromkeys(keys)
    held = {key for key in known if is_held_out(key, every)}
    takes_some = any(map(usable, held))
    if every == 0 or (takes_some and any(usable(key) for key in known if key not in held)):
        return held, ""
    good = sorted(filter(usable, known), key=hash_order)
    if len(good) < 2:
        return held, ""
    return held ^ {good[0]}, good[0]


def held_out_sources(clips: Iterable[tuple[str, str]], every: int) -> set[str]:
    """Return the sources to hold out of all clips, given as (class, source): about one clip in ``every`` of each class.

    Whole sources are taken in hash order, so clips cut from one recording stay together: at least one source
    of each class that has two or more, never all of them.
    """
    if every < 0:
        raise UserError(f"validation_every={every}: use 0 (none) or the number of clips per validation clip.")
    takes: dict[str, Counter[str]] = defaultdict(Counter)
    for label, source in clips:
        takes[label][source] += 1
    held_out: set[str] = set()
    for label in sorted(takes) if every else ():
        _hold_out_of_class(takes[label], every, held_out)
    return held_out


def _hold_out_of_class(takes: Counter[str], every: int, held_out: set[str]) -> None:
    """Add sources of one class (source -> number of its clips) to ``held_out``."""
    wanted = max(1, takes.total() // every)
    order = sorted(takes, key=hash_order)
    smallest = min(order, key=takes.__getitem__)
    wanted = max(wanted, takes[smallest])  # a class of long recordings gives one of them
    for source in order:
        taken = sum(takes[name] for name in held_out)
        leaves_some = any(name not in held_out | {source} for name in takes)
        if source not in held_out and taken + takes[source] <= wanted and leaves_some:
            held_out.add(source)
