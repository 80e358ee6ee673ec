"""Text to waveform: the trained parts joined for inference."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch import nn

from audiolcm.assembly import load_parts
from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MAX, LOG_MEL_MIN, SAMPLE_RATE
from audiolcm.candidates import DEFAULT_CLAP, Clap, best_of, candidate_seeds, open_clap
from audiolcm.configuration.plugins import allowing
from audiolcm.diffusion.sampler import NoiseSource, Sampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.distributed.hardware import Hardware, Stopwatch, explaining_mps
from audiolcm.environment.guard import explained
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.compiling import compile_transformers
from audiolcm.models.int8 import int8_products
from audiolcm.models.layers import keep_products
from audiolcm.published.conventions import OURS, Conventions, conventions_of
from audiolcm.published.models import open_model, vocoder_of
from audiolcm.published.sharing import Shared
from audiolcm.request import Request, read_candidates, read_request, sampler_settings
from audiolcm.sound import Generated
from audiolcm.types import Mel, TextEncoder, TextTokens, Vocoder

KEPT_PROMPTS = 256
"""Prompts whose text features are remembered: 160 MB of the paper's (154 x 1024 in float32)."""

_PLAIN = int | float | str | list | tuple | None
"""Settings of a sampler that its sounds' cards tell."""


class AudioLCM(Shared):
    """A denoiser with its text encoder, autoencoder and vocoder; call it with captions.

    Example::

        model = AudioLCM.from_pretrained("artifacts")  # or an exported folder, or a name of the Hub
        model("A dog is barking", duration=5.0, seed=0).save("dog.wav")
    """

    sample_rate = SAMPLE_RATE
    """Of every sound, in Hz."""

    def __init__(
        self,
        text_encoder: TextEncoder,
        denoiser: nn.Module,
        autoencoder: Autoencoder,
        vocoder: Vocoder,
        schedule: NoiseSchedule,
        sampler: Sampler,
        hardware: Hardware | None = None,
        conventions: Conventions = OURS,
    ) -> None:
        self.conventions = conventions
        self.hardware = hardware or Hardware()
        self.device = self.hardware.torch_device()
        self.text_encoder = keep_products(text_encoder.to(self.device))
        self.denoiser = keep_products(denoiser.to(self.device).eval())
        self.autoencoder = keep_products(autoencoder.to(self.device).eval())
        self.vocoder = keep_products(vocoder.to(self.device).eval())
        if self.hardware.compile:
            compile_transformers(self.denoiser, self.hardware.autocast(), graphs=True)
        self.schedule = schedule
        self.sampler = sampler
        self._claps: dict[str, Clap] = {}
        self._start_text()

    @torch.no_grad()
    def _start_text(self) -> None:
        """Remember the text features of the empty caption, and no others."""
        self._encoded: dict[tuple[str, str], torch.Tensor] = {}
        with explaining_mps(), self.hardware.autocast():
            self.unconditional = self.text_encoder([""], [""]).to(self.device)

    @classmethod
    # pyrefly: ignore[bad-override]  (what the base class calls has any settings)
    def from_checkpoint(
        cls,
        path: str | Path,
        vocoder: str | Path | None = None,
        sampler: Mapping[str, object] | None = None,
        hardware: Hardware | None = None,
        plugins: Sequence[str] | None = None,
        precision: str | None = None,
        length: str | None = None,
        clamp_mel: bool | None = None,
    ) -> "AudioLCM":
        """Load a student or a teacher with everything it needs.

        Args:
            path: the folder of a finished student or teacher, or of ``artifacts`` for its newest student, or
                ``published:audiolcm`` or another name that ``published.models.open_model`` understands.
            vocoder: the folder of a vocoder, or another name that ``published.models.open_vocoder`` understands; None
                takes the one the run was made with.
            sampler: settings that replace those of the run, such as ``{"num_steps": 4, "omega": 6.0}``, of a teacher
                also ``spacing``, ``eta`` and, for another sampler, ``kind`` (``ddim``, ``dpm_solver``, ``plms``).
            hardware: device and precision; None chooses.
            plugins: packages besides ours whose classes the folders may name; they are imported, and their code run.
            precision: ``float32`` for figures that are compared, ``bfloat16``, ``int8`` or ``auto``; None: as
                ``hardware`` says.
            length: how a duration becomes samples, a name of ``conventions.LENGTHS``; None: of released models as
                their own code does, of all others ``exact``.
            clamp_mel: whether mels are kept within -5 and 2 before the vocoder; None: not those of released models.

        Raises:
            UserError: when a folder is missing, unfinished, of a newer format or of another architecture, or names a
                class that is not allowed; or a package that it needs is not installed as it should be.
        """
        with explained(), allowing(plugins):
            artifact = open_model(path)
            heard_through = vocoder_of(artifact, vocoder)
            conventions = conventions_of(artifact).but(length, clamp_mel)
            made = cls(
                *load_parts(artifact, heard_through, sampler or {}),
                hardware=(hardware or Hardware()).in_precision(precision),
                conventions=conventions,
            )
        made._read_from = artifact, heard_through
        return made

    def to(self, device: str | torch.device) -> "AudioLCM":
        """Move every part, and text features that are remembered, to a device; precision is chosen again for it.

        Raises:
            UserError: there is no such device.
        """
        hardware = dataclasses.replace(self.hardware, device=str(device))
        self.hardware, self.device = hardware, hardware.torch_device()
        self._claps.clear()
        for part in (self.text_encoder, self.denoiser, self.autoencoder, self.vocoder):
            part.to(self.device)
        self._encoded = {prompt: features.to(self.device) for prompt, features in self._encoded.items()}
        self.unconditional = self.unconditional.to(self.device)
        return self

    @torch.no_grad()
    def __call__(
        self,
        captions: str | Sequence[str],
        duration: SupportsFloat | None = None,
        seed: SupportsIndex | Sequence[SupportsIndex] | np.ndarray = 0,
        structured: Sequence[str] | None = None,
        *,
        steps: SupportsIndex | None = None,
        omega: SupportsFloat | None = None,
        precision: str | None = None,
        candidates: SupportsIndex = 1,
        clap: str | Clap = DEFAULT_CLAP,
    ) -> Generated:
        """Generate one sound for each caption.

        Args:
            captions: what is to be heard.
            duration: seconds, 1 to 30; None: 5, of released models their own 10. Of ours to the sample, of released
                ones as ``conventions.LENGTHS`` says.
            seed: one for all captions, or one for each. A sound depends on its own caption and seed; its neighbors
                in the batch change it by rounding only.
            structured: structured captions, ``<event& tag>@...``; None makes ``<caption& all>`` of each.
            steps: sampling steps of this call; None takes the sampler's own.
            omega: guidance of this call, CFG scale - 1; None takes the sampler's own.
            precision: of this call, ``float32``, ``bfloat16``, ``int8`` or ``auto``; None takes the model's own.
            candidates: sounds made for each caption, of which the one is returned that CLAP hears as the nearest to
                it. The first has the seed itself, so that it is the sound of one candidate.
            clap: what ranks candidates: a name of conf/features, or a network that is loaded.

        Raises:
            UserError: a value of another kind or out of range; or CLAP's weights cannot be had.
        """
        duration = self.conventions.seconds if duration is None else duration
        request, count = read_request(captions, duration, seed, structured), read_candidates(candidates)
        sampler = self._sampler(steps, omega)
        ranking = self._clap(clap) if count > 1 else None
        model = self._in_precision(precision)
        with explaining_mps():
            made = [
                model._generate(
                    dataclasses.replace(request, seeds=candidate_seeds(request.seeds, i)), sampler
                )
                for i in range(count)
            ]
        return made[0] if ranking is None else best_of(made, request.captions, ranking)

    def _clap(self, clap: str | Clap) -> Clap:
        """Return the network that ranks, loaded once."""
        if not isinstance(clap, str):
            return clap
        if clap not in self._claps:
            self._claps[clap] = open_clap(clap, str(self.device))
        return self._claps[clap]

    def _in_precision(self, precision: str | None) -> "AudioLCM":
        """Return this model, or where it computes in another precision one that shares all networks with it."""
        hardware = self.hardware.in_precision(precision)
        if hardware.computes_in() == self.hardware.computes_in():
            return self
        other = copy.copy(self)
        other.hardware = hardware
        other._start_text()
        return other

    def _sampler(self, steps: SupportsIndex | None, omega: SupportsFloat | None) -> Sampler:
        """Return the sampler, with other steps or another omega where these are given."""
        settings = sampler_settings(steps, omega)
        if not settings:
            return self.sampler
        sampler = copy.copy(self.sampler)
        for name, value in settings.items():
            setattr(sampler, name, value)
        sampler.timesteps(self.schedule.num_timesteps)  # refuses steps that it cannot do
        return sampler

    def _generate(self, request: Request, sampler: Sampler) -> Generated:
        num_samples = self.conventions.num_samples(request.duration)
        seconds: dict[str, float] = {}
        with self.hardware.autocast():
            with Stopwatch(seconds, "text", self.device):
                text = self._encode(list(zip(request.captions, request.structured, strict=True)))
                free = self.unconditional.expand_as(text)
            with Stopwatch(seconds, "denoiser", self.device), int8_products(self.hardware.uses_int8()):
                frames = self.autoencoder.num_latent_frames(-(-num_samples // HOP_LENGTH))
                noise = NoiseSource(request.seeds, self.autoencoder.latent_channels, frames, self.device)
                sampled = sampler.sample(self.denoiser, self.schedule, noise, text, free)
            with Stopwatch(seconds, "decoder", self.device):
                mels = self.autoencoder.decode(sampled.latents / self.autoencoder.scale_factor)
                mels = self._clamped(mels.float())
        with Stopwatch(seconds, "vocoder", self.device):
            waveforms = self._sound(mels, num_samples)
        cards = tuple(self._card(request, index, sampler, sampled.nfe) for index in range(len(waveforms)))
        return Generated(waveforms, mels.cpu().numpy(), sampled.nfe, seconds, cards=cards)

    def _card(self, request: Request, index: int, sampler: Sampler, nfe: int) -> dict[str, Any]:
        """Return what a sound was made from and how: no place, no date, so that the same call gives the same file."""
        read = zip(("model", "vocoder"), self._read_from or (), strict=False)
        return {
            "caption": request.captions[index],
            "structured_caption": request.structured[index],
            "seed": request.seeds[index],
            "duration": request.duration,
            "length": self.conventions.length,
            "seconds": self.conventions.num_samples(request.duration) / SAMPLE_RATE,
            **{part: f"{artifact.card['name']}-{artifact.hash}" for part, artifact in read},
            "sampler": type(sampler).__name__,
            **{name: value for name, value in vars(sampler).items() if isinstance(value, _PLAIN)},
            "nfe": nfe,
            "precision": self.hardware.computes_in(),
            "mel_range": [LOG_MEL_MIN, LOG_MEL_MAX] if self.conventions.clamp_mel else None,
        }

    def _encode(self, prompts: list[tuple[str, str]]) -> TextTokens:
        """Return the features of (caption, structured caption) pairs; those of equal prompts are computed once."""
        if new := [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._encoded]:
            features = self.text_encoder([prompt[0] for prompt in new], [prompt[1] for prompt in new])
            self._encoded |= dict(zip(new, features.to(self.device), strict=True))
        text = torch.stack([self._encoded[prompt] for prompt in prompts])
        for prompt in list(self._encoded)[:-KEPT_PROMPTS]:
            del self._encoded[prompt]
        return text

    def forget_prompts(self) -> None:
        """Forget the text features of all captions: the next call encodes its own, as the first of a process does."""
        self._encoded.clear()

    @torch.no_grad()
    def reconstruct(self, mel: Mel, with_autoencoder: bool = True) -> np.ndarray:
        """Return (batch, samples): true mels (batch, 80, frames) after autoencoder and vocoder, or the latter alone."""
        mels = mel.to(self.device)
        with explaining_mps(), self.hardware.autocast():
            mels = self.autoencoder(mels).float() if with_autoencoder else mels
        return self._sound(self._clamped(mels), mels.shape[-1] * HOP_LENGTH)

    def _clamped(self, mels: Mel) -> Mel:
        """Return mels as the vocoder gets them: within -5 and 2, but for released models, which do not bound them."""
        return mels.clamp(LOG_MEL_MIN, LOG_MEL_MAX) if self.conventions.clamp_mel else mels

    def _sound(self, mels: Mel, num_samples: int) -> np.ndarray:
        """Return waveforms in float32, a sound above full scale turned down to it rather than clipped."""
        waveforms = self.vocoder(mels).float()[:, :num_samples]
        return (waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp_min(1.0)).cpu().numpy()
