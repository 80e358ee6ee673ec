"""Text to waveform: the trained parts joined for inference."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch import nn

from audiolcm.assembly import build_denoiser, load_text_encoder, with_settings
from audiolcm.audio.mel import HOP_LENGTH, LOG_MEL_MAX, LOG_MEL_MIN, SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.configuration.plugins import allowing
from audiolcm.configuration.schema import read_yaml
from audiolcm.diffusion.sampler import NoiseSource, Sampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.distributed.hardware import Hardware, Stopwatch, explaining_mps
from audiolcm.environment.guard import explained
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.published.models import open_model, vocoder_of
from audiolcm.published.sources import is_hub_name
from audiolcm.request import Request, read_request, sampler_settings
from audiolcm.sound import Generated
from audiolcm.storage.tensors import without_initialization
from audiolcm.types import Mel, TextEncoder, TextTokens, Vocoder
from audiolcm.weights.artifacts import Artifact

KEPT_PROMPTS = 256
"""Prompts whose text features are remembered: 160 MB of the paper's (154 x 1024 in float32)."""


class AudioLCM:
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
        self._read_from: tuple[Artifact, Artifact] | None = None  # model and vocoder, to be exported
        with torch.no_grad(), explaining_mps(), self.hardware.autocast():
            self.unconditional = self.text_encoder([""], [""]).to(self.device)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | Path,
        vocoder: str | Path | None = None,
        sampler: Mapping[str, object] | None = None,
        hardware: Hardware | None = None,
        plugins: Sequence[str] | None = None,
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

        Raises:
            UserError: when a folder is missing, unfinished, of a newer format or of another architecture, or names a
                class that is not allowed; or a package that it needs is not installed as it should be.
        """
        with explained(), allowing(plugins):
            return cls._loaded(open_model(path), vocoder, sampler, hardware)

    @classmethod
    def _loaded(
        cls,
        artifact: Artifact,
        vocoder: str | Path | None,
        sampler: Mapping[str, object] | None,
        hardware: Hardware | None,
    ) -> "AudioLCM":
        cfg = read_yaml(artifact.config_file())
        autoencoder = artifact.parent("autoencoder")
        vocoder_artifact = vocoder_of(artifact, vocoder)
        autoencoder_cfg = read_yaml(autoencoder.config_file())["autoencoder"]["model"]
        vocoder_cfg = read_yaml(vocoder_artifact.config_file())["vocoder"]["model"]
        section = "teacher_sampler" if artifact.card["stage"] == "teacher" else "sampler"
        schedule = build(cfg["schedule"], "schedule", NoiseSchedule)
        chosen = build(with_settings(cfg[section], sampler or {}), section, Sampler)
        chosen.timesteps(schedule.num_timesteps)  # refuses what it cannot do before anything large is read
        text_encoder = load_text_encoder(artifact, cfg)
        with without_initialization():  # all of them are loaded at once
            denoiser = build_denoiser(cfg, text_encoder.width, autoencoder_cfg["latent_channels"])
            autoencoder_model = build(autoencoder_cfg, "autoencoder.model", Autoencoder)
            vocoder_model = build(vocoder_cfg, "vocoder.model", nn.Module)
        made = cls(
            text_encoder,
            artifact.load_weights(denoiser),
            autoencoder.load_weights(autoencoder_model),
            vocoder_artifact.load_weights(vocoder_model),
            schedule,
            chosen,
            hardware,
        )
        made._read_from = artifact, vocoder_artifact
        return made

    @classmethod
    def from_pretrained(
        cls,
        place: str | Path,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        **settings: Any,
    ) -> "AudioLCM":
        """Load what ``audiolcm export`` or ``push_to_hub`` made, or whatever else ``from_checkpoint`` loads.

        Args:
            place: a folder, a ``published:`` name, or a name of the Hub (``user/model``), whose files are downloaded
                once; never any that could run code.
            revision: of the Hub: a branch, a tag or a commit.
            token: of the Hub, for private models; None takes that of ``hf auth login``.
            cache_dir: where the Hub's files are kept; None takes Hugging Face's own folder.
            local_files_only: take the Hub's files from there alone.
            settings: vocoder, sampler and hardware of ``from_checkpoint``.

        Raises:
            UserError: see ``from_checkpoint``; or the Hub has no such model, or no network leads there.
        """
        if is_hub_name(place):
            from audiolcm.published.hub import fetch  # here: most models lie on this computer

            place = fetch(str(place), revision, token, cache_dir, local_files_only)
        return cls.from_checkpoint(place, **settings)

    def save_pretrained(
        self, folder: str | Path, name: str | None = None, half: bool = False, with_teacher: bool = False
    ) -> Path:
        """Write one self-contained folder that loads anywhere, and return it; see ``published.export.export``."""
        from audiolcm.published.export import export

        if self._read_from is None:
            raise UserError(
                "This model was put together from parts: only one that from_checkpoint or from_pretrained loaded knows "
                "the configurations and licenses that belong into its folder."
            )
        return export(*self._read_from, Path(folder), name, half, with_teacher)

    def push_to_hub(
        self,
        repo_id: str,
        private: bool = False,
        token: str | bool | None = None,
        commit_message: str = "Upload of a model of audiolcm",
    ) -> str:
        """Upload the folder of ``save_pretrained`` to the Hub, into a new or a known repository; returns its address.

        Raises:
            UserError: no network, no such right, or a name that the Hub does not take.
        """
        from audiolcm.published.hub import upload

        return upload(self.save_pretrained, repo_id, private, token, commit_message)

    def to(self, device: str | torch.device) -> "AudioLCM":
        """Move every part, and text features that are remembered, to a device; precision is chosen again for it.

        Raises:
            UserError: there is no such device.
        """
        hardware = dataclasses.replace(self.hardware, device=str(device))
        self.hardware, self.device = hardware, hardware.torch_device()
        for part in (self.text_encoder, self.denoiser, self.autoencoder, self.vocoder):
            part.to(self.device)
        self._encoded = {prompt: features.to(self.device) for prompt, features in self._encoded.items()}
        self.unconditional = self.unconditional.to(self.device)
        return self

    @torch.no_grad()
    def __call__(
        self,
        captions: str | Sequence[str],
        duration: SupportsFloat = 5.0,
        seed: SupportsIndex | Sequence[SupportsIndex] | np.ndarray = 0,
        structured: Sequence[str] | None = None,
        *,
        steps: SupportsIndex | None = None,
        omega: SupportsFloat | None = None,
    ) -> Generated:
        """Generate one sound for each caption.

        Args:
            captions: what is to be heard.
            duration: seconds, 1 to 30.
            seed: one for all captions, or one for each. A sound depends on its own caption and seed; its neighbors
                in the batch change it by rounding only.
            structured: structured captions, ``<event& tag>@...``; None makes ``<caption& all>`` of each.
            steps: sampling steps of this call; None takes the sampler's own.
            omega: guidance of this call, CFG scale - 1; None takes the sampler's own.

        Raises:
            UserError: a value of another kind or out of range.
        """
        request = read_request(captions, duration, seed, structured)
        sampler = self._sampler(steps, omega)
        with explaining_mps():
            return self._generate(request, sampler)

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
        duration = request.duration
        seconds: dict[str, float] = {}
        with self.hardware.autocast():
            with Stopwatch(seconds, "text", self.device):
                text = self._encode(list(zip(request.captions, request.structured, strict=True)))
                free = self.unconditional.expand_as(text)
            with Stopwatch(seconds, "denoiser", self.device):
                mel_frames = -(-round(duration * SAMPLE_RATE) // HOP_LENGTH)
                frames = self.autoencoder.num_latent_frames(mel_frames)
                noise = NoiseSource(request.seeds, self.autoencoder.latent_channels, frames, self.device)
                sampled = sampler.sample(self.denoiser, self.schedule, noise, text, free)
            with Stopwatch(seconds, "decoder", self.device):
                mels = self.autoencoder.decode(sampled.latents / self.autoencoder.scale_factor)
                mels = mels.float().clamp(LOG_MEL_MIN, LOG_MEL_MAX)
        with Stopwatch(seconds, "vocoder", self.device):
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

    def forget_prompts(self) -> None:
        """Forget the text features of all captions: the next call encodes its own, as the first of a process does."""
        self._encoded.clear()

    @torch.no_grad()
    def reconstruct(self, mel: Mel, with_autoencoder: bool = True) -> np.ndarray:
        """Return (batch, samples): true mels (batch, 80, frames) after autoencoder and vocoder, or the latter alone."""
        mels = mel.to(self.device)
        with explaining_mps(), self.hardware.autocast():
            mels = self.autoencoder(mels).float() if with_autoencoder else mels
        return self._sound(mels.clamp(LOG_MEL_MIN, LOG_MEL_MAX), mels.shape[-1] * HOP_LENGTH)

    def _sound(self, mels: Mel, num_samples: int) -> np.ndarray:
        """Return waveforms in float32, a sound above full scale turned down to it rather than clipped."""
        waveforms = self.vocoder(mels).float()[:, :num_samples]
        return (waveforms / waveforms.abs().amax(dim=1, keepdim=True).clamp_min(1.0)).cpu().numpy()
