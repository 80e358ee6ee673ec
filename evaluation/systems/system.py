"""What a system is, and how sounds that are missing get made: resumable, one file a sound."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from tqdm import tqdm

from audiolcm.audio.io import write_wav
from audiolcm.data.store.checked_json import file_facts, file_fault
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.storage.files import appending, atomic_path, explained
from audiolcm.storage.hashing import content_hash, sealed, unsealed
from audiolcm.storage.leases import exclusive
from audiolcm.storage.plain_data import parse_json
from audiolcm.training.reproducibility import derived_seed
from evaluation.protocol import ProtocolItem, TestSet

Maker = Callable[[list[ProtocolItem], list[int]], Sequence[np.ndarray]]
"""Turns items and one seed for each into waveforms (samples,) at 16 kHz."""


@runtime_checkable
class System(Protocol):
    """Something that gives a sound for every item.

    Attributes:
        name: for tables, such as ``audiolcm``.
        is_seeded: whether another seed gives another sound.
    """

    name: str
    is_seeded: bool

    def facts(self) -> dict[str, Any]:
        """Return what names this system in tables: artifact, steps, omega, NFE, path, ..., as JSON."""
        ...

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return one file for each item, made below ``folder`` where it is missing.

        Raises:
            UserError: when a sound cannot be had; never fewer files than items.
        """
        ...


@runtime_checkable
class Computes(Protocol):
    """A system that makes its sounds here, by networks that compute in the precision of this hardware."""

    hardware: Hardware


def precision_of(system: System) -> dict[str, str]:
    """Return the ``precision`` that a record tells of, float32 or bfloat16; none of sounds that were not made here."""
    return {"precision": system.hardware.computes_in()} if isinstance(system, Computes) else {}


@runtime_checkable
class ForeseesSounds(Protocol):
    """A system that can tell before it makes a sound that it will not make all of them."""

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Get ready, and return the sounds that need not be made, if there are any.

        Raises:
            UserError: a sound of an item and a seed cannot be had.
        """
        ...


def made(
    system: System,
    settings: dict[str, Any],
    test_set: TestSet,
    seed: int,
    folder: Path,
    make: Maker,
    batch_size: int,
) -> list[Path]:
    """Return ``<folder>/<system>-<hash>/seed<seed>/<item>.wav`` for each item, made now where it is missing.

    The hash covers ``settings``, the list of captions and the length, so a file that is there, and was not changed
    since, is the right one: a killed run goes on where it stopped. Item and seed alone decide the noise, whatever was
    made before.

    Raises:
        UserError: a sound that was made before is another one now.
    """
    content = {"settings": settings, "captions": test_set.fingerprint, "seconds": test_set.seconds}
    home = folder / f"{system.name}-{content_hash(content)}"
    place = home / f"seed{seed}"
    paths = [place / f"{item.name}.wav" for item in test_set.items]
    with exclusive(home):
        if not (home / "settings.json").exists():
            with atomic_path(home / "settings.json") as temporary:
                temporary.write_text(json.dumps(content, indent=1))
        kept = KeptSounds(home)
        kept.check([path for path in paths if path.exists()])
        missing = [
            (item, path) for item, path in zip(test_set.items, paths, strict=True) if not path.exists()
        ]
        with tqdm(total=len(missing), desc=f"generate {system.name}", unit="sound", delay=2.0) as bar:
            for first in range(0, len(missing), batch_size):
                batch = missing[first : first + batch_size]
                seeds = [derived_seed(item.name, seed) for item, _ in batch]
                waveforms = make([item for item, _ in batch], seeds)
                for (_, path), waveform in zip(batch, waveforms, strict=True):
                    write_wav(path, waveform)
                    kept.note(path)
                bar.update(len(batch))
    return paths


RECORD = "sounds.jsonl"
_MOST_NAMES = 3


class KeptSounds:
    """The sounds below ``home``; each is noted in ``RECORD`` there when it was made, or first found.

    By the checksums in it a change of a sound since is noticed before it is scored.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known = {row["file"]: row for row in _rows(home / RECORD)}

    def note(self, path: Path) -> None:
        """Keep the checksum of a sound."""
        facts = {"file": str(path.relative_to(self._home)), **file_facts(path)}
        with appending(self._home / RECORD) as write:
            write(json.dumps(sealed(facts)) + "\n")

    def check(self, paths: Sequence[Path]) -> None:
        """Compare sounds that are there with their checksums; note those that have none, as of an earlier version.

        Raises:
            UserError: naming the changed ones.
        """
        changed = [f"{path} ({fault})" for path in paths if (fault := self._fault(path))]
        if changed:
            more = f" and {len(changed) - _MOST_NAMES} more" if len(changed) > _MOST_NAMES else ""
            raise UserError(
                f"{len(changed)} sounds are not as they were made: {', '.join(changed[:_MOST_NAMES])}{more}. Nothing "
                f"was scored. Remove them, or all of {self._home}, and type the same command: it makes them again."
            )
        for path in paths:
            if str(path.relative_to(self._home)) not in self._known:
                self.note(path)

    def _fault(self, path: Path) -> str | None:
        if not path.is_file():
            return "it is no file"
        facts = self._known.get(str(path.relative_to(self._home)))
        return file_fault(path, facts, content=True) if facts else None


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a record, of which a damaged one is as good as none."""
    if not path.is_file():
        return
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise explained(error, path) or error from error
    for line in lines:
        with suppress(ValueError):
            row = unsealed(parse_json(line))
            if isinstance(row.get("file"), str) and "bytes" in row and "crc32" in row:
                yield row
