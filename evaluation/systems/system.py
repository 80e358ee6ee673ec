"""What a system is, and how sounds that are missing get made: resumable, one file a sound."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from tqdm import tqdm

from audiolcm.audio.io import write_wav
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.leases import exclusive
from audiolcm.training.reproducibility import derived_seed
from evaluation.protocol import Item, TestSet
from evaluation.systems.kept import KeptSounds

Maker = Callable[[list[Item], list[int]], Sequence[np.ndarray]]
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
