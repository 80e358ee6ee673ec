"""What a model makes: sounds that know their sample rate and save themselves."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audiolcm.audio.comments import read_comment
from audiolcm.audio.io import write_wav
from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path


@dataclass(frozen=True)
class Sound:
    """One sound.

    ``waveform``: float32 (samples,), full scale 1. ``sample_rate``: in Hz. ``mel``: float32 (80, frames), log10, what
    the vocoder made it from. ``card``: what it was made from and how: caption, seed, model, steps, precision, ...
    """

    waveform: np.ndarray
    sample_rate: int = SAMPLE_RATE
    mel: np.ndarray | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path, mel: bool = False) -> Path:
        """Write a 16-bit WAV file and return its path; for a folder (see ``wav_paths``) that is its ``000.wav``.

        The card is the file's comment, as JSON. With ``mel`` the mel lies beside it, of ``dog.wav`` in ``dog_mel.npy``.

        Raises:
            UserError: see ``wav_paths``; or the disk is full.
        """
        (target,) = wav_paths(path, 1)
        write_wav(target, self.waveform, self.sample_rate, json.dumps(self.card) if self.card else "")
        if mel and self.mel is not None:
            with atomic_path(mel_path(target)) as temporary, temporary.open("wb") as file:
                np.save(file, self.mel)
        return target


def read_card(path: str | Path) -> dict[str, Any]:
    """Return the card of a WAV file that a sound was saved to; empty of other files.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        card = json.loads(read_comment(path))
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}


def mel_path(wav: Path) -> Path:
    """Return where the mel of a WAV file lies: beside it, named as the released preprocessing names its mels."""
    return wav.with_name(f"{wav.stem}_mel.npy")


@dataclass(frozen=True)
class Generated:
    """Sounds of one call and how they came about; ``len``, indexing and iteration give each as a ``Sound``.

    ``waveforms``: float32 (batch, samples) at 16 kHz. ``mels``: float32 (batch, 80, frames), log10. ``nfe``: denoiser
    evaluations per sound. ``seconds``: wall time of each stage, for the whole batch. Of sounds that were chosen among
    candidates both are those of all candidates. ``cards``: how each was made; see ``Sound``.
    """

    waveforms: np.ndarray
    mels: np.ndarray
    nfe: int
    seconds: dict[str, float]
    sample_rate: int = SAMPLE_RATE
    cards: Sequence[Mapping[str, Any]] = ()

    @property
    def rtf(self) -> float:
        """Seconds of computing for one second of sound."""
        return sum(self.seconds.values()) * self.sample_rate / self.waveforms.size

    def __len__(self) -> int:
        return len(self.waveforms)

    def __getitem__(self, index: int) -> Sound:
        card = self.cards[index] if self.cards else {}
        return Sound(self.waveforms[index], self.sample_rate, self.mels[index], card)

    def __iter__(self) -> Iterator[Sound]:
        return (self[index] for index in range(len(self)))

    def save(self, path: str | Path, mel: bool = False) -> list[Path]:
        """Write 16-bit WAV files and return their paths: one sound to ``path``, several into the folder ``path``.

        In a folder they are 000.wav, 001.wav, ... in the order of the captions, as ``audiolcm generate`` names them.
        With ``mel`` the mel of each lies beside it: 000_mel.npy, ...

        Raises:
            UserError: see ``wav_paths``; or the disk is full.
        """
        targets = wav_paths(path, len(self))
        for sound, target in zip(self, targets, strict=True):
            sound.save(target, mel)
        return targets


def wav_paths(output: str | Path, count: int) -> list[Path]:
    """Return where so many sounds go: one into a .wav file or, as several, into a folder.

    A folder is one that is there, a text that ends in ``/``, or a name without an ending.

    Raises:
        UserError: a file's name for several sounds, another ending than .wav, something in the way, or a name that
            the file system does not take.
    """
    place = Path(output)
    try:
        is_folder = place.is_dir() or str(output).endswith(("/", os.sep)) or not place.suffix
        targets = [place / f"{index:03d}.wav" for index in range(count)] if is_folder else _file(place, count)
        for path in targets:
            blocking = [parent for parent in path.parents if parent.exists() and not parent.is_dir()]
            if path.is_dir() or blocking:
                raise UserError(f"{output}: {[path, *blocking][-1]} is in the way. Choose another name.")
            with suppress(FileNotFoundError, NotADirectoryError):
                path.stat()
    except (OSError, ValueError) as error:  # too long, or with a null
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{str(output)[:80]}...: no sound can be written there ({reason}).") from error
    return targets


def _file(output: Path, count: int) -> list[Path]:
    if count > 1:
        raise UserError(
            f"{output}: {count} captions need a folder, such as sounds or {output.stem}/. "
            'Of one caption the words stand in quotes: "A dog is barking".'
        )
    if output.suffix.lower() != ".wav":
        raise UserError(f"{output}: sound is written as .wav; name the file so, or give a folder: {output}/")
    return [output]
