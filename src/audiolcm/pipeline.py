"""Text to waveform: the trained parts joined for inference."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from audiolcm.artifacts import Artifact
from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MAX, LOG_MEL_MIN, SAMPLE_RATE
from audiolcm.build import build, build_transformer
from audiolcm.config import read_yaml
from audiolcm.data.manifest import fallback_structure
from audiolcm.diffusion.sampler import NoiseSource, Sampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.published.models import open_model, vocoder_of
from audiolcm.tensors import without_initialization
from audiolcm.training.hardware import Hardware
from audiolcm.types import Mel, TextEncoder, TextTokens, Vocoder

MIN_SECONDS, MAX_SECONDS = 1.0, 30.0
KEPT_PROMPTS = 256
"""Prompts whose text features are remembered: 160 MB of the paper's (154 x 1024 in float32)."""


@dataclass(frozen=True)
class Generated:
    """Sound and how it came about.

    ``waveforms``: float32 (batch, samples) at 16 kHz. ``mels``: (batch, 80, frames), log10. ``nfe``: denoiser
    evaluations per sound. ``seconds``: wall time of each stage, for the whole batch.
    """

    waveforms: np.ndarray
    mels: np.ndarray
    nfe: int
    seconds: dict[str, float]


class AudioLCM:
    """A denoiser with its text encoder, autoencoder and vocoder; call it with captions.

    Example::

        model = AudioLCM.from_checkpoint("artifacts/student/<name>-<hash>")
        sound = model("A dog is barking", duration=5.0, seed=0)
    """

    def __init__(
        self,
        text_encoder: TextEncoder,
        denoiser: nn.Module,
        autoencoder: Autoencoder,
        vocoder: Vocoder,
        schedule: NoiseSchedule,
        sampler: Sampler,
        hardware: Hardware | None = None,
    ) -> None:
        self.hardware = hardware or Hardware()
        self.device = self.hardware.torch_device()
        self.text_encoder = text_encoder.to(self.device)
        self.denoiser = denoiser.to(self.device).eval()
        self.autoencoder = autoencoder.to(self.device).eval()
        self.vocoder = vocoder.to(self.device).eval()
        self.schedule = schedule
        self.sampler = sampler
        self._encoded: dict[tuple[str, str], torch.Tensor] = {}
        with torch.no_grad(), self.hardware.autocast():
            self.unconditional = self.text_encoder([""], [""]).to(self.device)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        vocoder: str | Path | None = None,
        sampler: Mapping[str, object] | None = None,
        hardware: Hardware | None = None,
    ) -> "AudioLCM":
        """Load a student or a teacher with everything it needs.

        Args:
            path: the folder of a finished student or teacher, or of ``artifacts`` for its newest student, or
                ``published:audiolcm`` or another name that ``published.models.open_model`` understands.
            vocoder: the folder of a vocoder, or another name that ``published.models.open_vocoder`` understands; None
                takes the one the run was made with.
            sampler: settings that replace those of the run, such as ``{"num_steps": 4, "omega": 6.0}``.
            hardware: device and precision; None chooses.

        Raises:
            UserError: when a folder is missing, unfinished, of a newer format or of another architecture.
        """
        artifact = open_model(path)
        cfg = read_yaml(artifact.folder / "config.yaml")
        autoencoder = artifact.parent("autoencoder")
        vocoder_artifact = vocoder_of(artifact, vocoder)
        autoencoder_cfg = read_yaml(autoencoder.folder / "config.yaml")["autoencoder"]["model"]
        vocoder_cfg = read_yaml(vocoder_artifact.folder / "config.yaml")["vocoder"]["model"]
        text_encoder = load_text_encoder(artifact, cfg)
        with without_initialization():  # all of them are loaded at once
            denoiser = build_transformer(cfg, text_encoder.width, autoencoder_cfg["latent_channels"])
            autoencoder_model = build(autoencoder_cfg, "autoencoder.model")
            vocoder_model = build(vocoder_cfg, "vocoder.model")
        section = "teacher_sampler" if artifact.card["stage"] == "teacher" else "sampler"
        return cls(
            text_encoder,
            artifact.load_weights(denoiser),
            autoencoder.load_weights(autoencoder_model),
            vocoder_artifact.load_weights(vocoder_model),
            build(cfg["schedule"], "schedule"),
            build(cfg[section] | dict(sampler or {}), section),
            hardware,
        )

    @torch.no_grad()
    def __call__(
        self,
        captions: str | Sequence[str],
        duration: float = 5.0,
        seed: int | Sequence[int] = 0,
        structured: Sequence[str] | None = None,
    ) -> Generated:
        """Generate one sound for each caption.

        Args:
            captions: what is to be heard.
            duration: seconds, 1 to 30.
            seed: one for all captions, or one for each. A sound depends on its own caption and seed; its neighbors
                in the batch change it by rounding only.
            structured: structured captions, ``<event& tag>@...``; None makes ``<caption& all>`` of each.
        """
        captions = [captions] if isinstance(captions, str) else list(captions)
        structured = list(structured or [fallback_structure(caption) for caption in captions])
        seeds = [seed] * len(captions) if isinstance(seed, int) else list(seed)
        _check_request(captions, structured, seeds, duration)
        seconds: dict[str, float] = {}
        with self.hardware.autocast():
            with _Stopwatch(seconds, "text", self.device):
                text = self._encode(list(zip(captions, structured, strict=True)))
                free = self.unconditional.expand_as(text)
            with _Stopwatch(seconds, "denoiser", self.device):
                mel_frames = -(-round(duration * SAMPLE_RATE) // HOP_LENGTH)
                frames = self.autoencoder.num_latent_frames(mel_frames)
                noise = NoiseSource(seeds, self.autoencoder.latent_channels, frames, self.device)
                sampled = self.sampler.sample(self.denoiser, self.schedule, noise, text, free)
            with _Stopwatch(seconds, "decoder", self.device):
                mels = self.autoencoder.decode(sampled.latents / self.autoencoder.scale_factor)
                mels = mels.float().clamp(LOG_MEL_MIN, LOG_MEL_MAX)
        with _Stopwatch(seconds, "vocoder", self.device):
            waveforms = self._sound(mels, round(duration * SAMPLE_RATE))
        return Generated(waveforms, mels.cpu().numpy(), sampled.nfe, seconds)

    def _encode(self, prompts: list[tuple[str, str]]) -> TextTokens:
        """Return the features of (caption, structured caption) pairs; those of equal prompts are computed once."""
        if new := [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._encoded]:
            features = self.text_encoder([prompt[0] for prompt in new], [prompt[1] for prompt in new])
            self._encoded |= dict(zip(new, features.to(self.device), strict=True))
        text = torch.stack([self._encoded[prompt] for prompt in prompts])
        for prompt in list(self._encoded)[:-KEPT_PROMPTS]:
            del self._encoded[prompt]
        return text

    @torch.no_grad()
    def reconstruct(self, mel: Mel) -> np.ndarray:
        """Return (batch, samples): true mels (batch, 80, frames) after autoencoder and vocoder."""
        with self.hardware.autocast():
            mels = self.autoencoder(mel.to(self.device)).float().clamp(LOG_MEL_MIN, LOG_MEL_MAX)
        return self._sound(mels, mels.shape[-1] * HOP_LENGTH)

    def _sound(self, mels: Mel, num_samples: int) -> np.ndarray:
        """Return waveforms in float32, a sound above full scale turned down to it rather than clipped."""
        waveforms = self.vocoder(mels).float()[:, :num_samples]
        return (waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp_min(1.0)).cpu().numpy()


def load_text_encoder(model: Artifact, cfg: Mapping[str, Any]) -> TextEncoder:
    """Return the text encoder of a student or a teacher: its own artifact, or what its configuration describes."""
    if not model.has_parent("text_encoder"):
        return build(cfg["text_encoder"], "text_encoder")
    artifact = model.parent("text_encoder")
    with without_initialization():
        encoder = build(cfg["text_encoder"], "text_encoder", folder=artifact.folder)
    return artifact.load_weights(encoder)


class _Stopwatch:
    """Adds the wall time of a ``with`` block to a dictionary, after the device has done its work."""

    def __init__(self, seconds: dict[str, float], stage: str, device: torch.device) -> None:
        self.seconds, self.stage, self.device = seconds, stage, device

    def __enter__(self) -> None:
        self.began = self._now()

    def __exit__(self, *_: object) -> None:
        self.seconds[self.stage] = self._now() - self.began

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _check_request(captions: list[str], structured: list[str], seeds: list[int], duration: float) -> None:
    if not MIN_SECONDS <= duration <= MAX_SECONDS:
        raise UserError(
            f"duration={duration:g} s is out of range: {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds."
        )
    for seed in seeds:
        if not -(2**63) <= seed < 2**63:
            raise UserError(f"seed={seed} is out of range: 0 to {2**63 - 1} (64 bits).")
    if not captions or any(not caption.strip() for caption in captions):
        raise UserError("A caption is empty: say what is to be heard, such as 'A dog is barking'.")
    if not len(captions) == len(structured) == len(seeds):
        raise UserError(
            f"{len(captions)} captions, {len(structured)} structured captions and {len(seeds)} seeds do not match: "
            "give one of each for every sound."
        )
