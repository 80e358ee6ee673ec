"""What the baselines share: published models of other people, behind the one face of a system."""

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from audiolcm.training.reproducibility import derived_seed
from evaluation.efficiency import Synthesizer
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.systems.hub import identity
from evaluation.systems.system import made

Sounds = tuple[Sequence[np.ndarray], int]
"""Waveforms and their sample rate."""
_VERSION = 1  # raise it with anything here that changes sounds
_SLACK = 0.002  # seconds that rounding and resampling may lack at the end


@dataclasses.dataclass(frozen=True)
class Made:
    """Sounds of one call: ``waveforms`` (samples,) at 16 kHz, ``nfe`` calls of the denoiser for each of them.

    nfe: those of all candidates for a sound count.
    seconds: by stage; empty, for only the whole call of another's pipeline is timed.
    """

    waveforms: list[np.ndarray]
    nfe: int
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


class Denoiser:
    """Counts the calls of a network and makes them in the precision of the hardware, as ours are made.

    The rest of a pipeline, such as its vocoder, computes in float32.
    """

    def __init__(self, network: nn.Module, hardware: Hardware) -> None:
        self.num_calls = 0
        self._forward = network.forward
        self._hardware = hardware

        @functools.wraps(network.forward)
        def forward(*args: Any, **settings: Any) -> Any:
            self.num_calls += 1
            with self._hardware.autocast():
                made = self._forward(*args, **settings)
            return tuple(map(_in_float32, made)) if type(made) is tuple else made

        network.forward = forward


def _in_float32(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


class Pretrained(ABC):
    """A published text-to-audio model.

    Args:
        name: for tables, the word after ``system=``.
        model: repository of the hub, or a folder with its files.
        license: of the weights, as their page states it.
        hardware: device and precision.
        batch_size: sounds made at once; a sound depends on its own caption and seed, its neighbors change it by
            rounding only.
    """

    is_seeded = True
    num_candidates = 1
    """Sounds that are made of each caption, of which one is returned; NFE counts all of them."""

    def __init__(self, name: str, model: str, license: str, hardware: Hardware, batch_size: int = 1) -> None:
        if batch_size < 1:
            raise UserError(f"system.batch_size={batch_size} must be 1 or more.")
        self.name, self.model, self.license = name, model, license
        self.hardware, self.batch_size = hardware, batch_size
        self._nfe: int | None = None

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where the files lie; they are fetched if need be."""

    @abstractmethod
    def choices(self) -> dict[str, Any]:
        """Return steps, guidance and whatever else was chosen, for tables; all of it decides the sounds."""

    @abstractmethod
    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        """Return waveforms (samples,) or (channels, samples) of at least so many seconds, and their sample rate."""

    @property
    @abstractmethod
    def denoiser(self) -> Denoiser:
        """The network whose calls are NFE."""

    def contents(self) -> dict[str, Any]:
        """Return what identifies everything that is read from files."""
        return {"model": identity(self.folder)}

    def facts(self) -> dict[str, Any]:
        """Return model, license and choices; NFE once a sound was made."""
        counted = {} if self._nfe is None else {"nfe": self._nfe}
        return {"model": self.model, "license": self.license} | self.choices() | counted

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Find or fetch the model; see ``ForeseesSounds``."""
        _ = self.folder
        return []

    def sounds(self, test_set: TestSet, seed: int, folder: Path) -> list[Path]:
        """Return a sound for each caption; see ``System``."""
        settings = self.choices() | self.contents()
        settings |= {"version": _VERSION, "bfloat16": self.hardware.uses_bfloat16()}

        def make(items: list[ProtocolItem], seeds: list[int]) -> list[np.ndarray]:
            return self.generate([item.clip.caption for item in items], test_set.seconds, seeds).waveforms

        return made(self, settings, test_set, seed, folder, make, self.batch_size)

    def synthesizer(self) -> Synthesizer:
        """Return what is timed, after loading it; see ``efficiency.Timed``."""
        _ = self.denoiser
        return self.generate

    @property
    def batch_limit(self) -> int:
        """The most sounds that one call makes."""
        return self.batch_size

    @torch.no_grad()
    def generate(
        self,
        captions: Sequence[str],
        seconds: float,
        seed: int | Sequence[int] = 0,
        structured: Sequence[str] | None = None,
    ) -> Made:
        """Return a sound for each caption.

        Args:
            captions: what is to be heard; ``batch_limit`` of them at most.
            seconds: length.
            seed: one for each caption; of one number a seed for each is derived.
            structured: captions as only ours need them, not used.

        Raises:
            UserError: the model makes no sounds of that length, or its files are missing.
        """
        seeds = [derived_seed(seed, i) for i in range(len(captions))] if isinstance(seed, int) else list(seed)
        before = self.denoiser.num_calls
        waveforms, rate = self._make(list(captions), seconds, seeds)
        self._nfe = (self.denoiser.num_calls - before) * self.num_candidates
        return Made([self._fitted(waveform, rate, seconds) for waveform in waveforms], self._nfe)

    def _fitted(self, waveform: np.ndarray, rate: int, seconds: float) -> np.ndarray:
        """Return (samples,) at 16 kHz of exactly that length: channels averaged, above full scale turned down to it."""
        mono = np.atleast_2d(waveform).mean(axis=0, dtype=np.float32)
        if rate != SAMPLE_RATE:
            mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
        length = round(seconds * SAMPLE_RATE)
        if len(mono) < length - _SLACK * SAMPLE_RATE:
            raise UserError(
                f"system={self.name} made {len(mono) / SAMPLE_RATE:.3f} s instead of {seconds:g} s: that is as long as "
                f"{self.model} goes."
            )
        mono = np.pad(mono[:length], (0, max(0, length - len(mono))))
        return mono / max(1.0, float(np.abs(mono).max()))


class Diffusion(Pretrained):
    """A published diffusion model that is sampled in steps, with guidance.

    Args:
        name, model, license, hardware, batch_size: see ``Pretrained``.
        num_steps: of the published scheduler.
        guidance_scale: of classifier-free guidance; up to 1 there is none.
    """

    def __init__(
        self,
        name: str,
        model: str,
        license: str,
        hardware: Hardware,
        num_steps: int,
        guidance_scale: float,
        batch_size: int = 4,
    ) -> None:
        super().__init__(name, model, license, hardware, batch_size)
        if num_steps < 1:
            raise UserError(f"system.num_steps={num_steps} must be 1 or more.")
        self.num_steps, self.guidance_scale = num_steps, guidance_scale

    def choices(self) -> dict[str, Any]:
        """Return steps and guidance."""
        return {"num_steps": self.num_steps, "guidance_scale": self.guidance_scale}


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return a generator on the CPU for each seed: the same noise on every device and in every batch."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]
