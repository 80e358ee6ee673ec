"""AudioLDM's "automatic quality control": several sounds of each caption, of which CLAP chooses one."""

import inspect
import logging
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from audiolcm.audio.resampling import resample
from audiolcm.candidates import candidate_seeds
from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from evaluation.features.joint import CONSTANTS, LOADING_ERRORS
from evaluation.protocol import TestSet
from evaluation.systems.diffusers_pipeline import DiffusersPipeline
from evaluation.systems.hub import identity, network, pipeline_classes, reason, repository_folder, way_out
from evaluation.systems.pretrained import Sounds

log = logging.getLogger(__name__)

_CLAP_FILES = ("*.json", "model*.safetensors*", "pytorch_model.bin")


def seeds_of_all(seeds: Sequence[int], num_candidates: int) -> list[int]:
    """Return so many seeds for each seed, the first of which is itself: more candidates leave the first as they are."""
    of_candidates = (candidate_seeds(seeds, candidate) for candidate in range(num_candidates))
    return [seed for of_caption in zip(*of_candidates, strict=True) for seed in of_caption]


def text_vectors(clap: Any, tokenizer: Any, captions: list[str]) -> Float[Tensor, "batch width"]:
    """Return CLAP's vectors of captions, of length one."""
    lengths = {"padding": "max_length", "max_length": tokenizer.model_max_length, "truncation": True}
    tokens = tokenizer(captions, return_tensors="pt", **lengths).to(clap.device)
    return clap.get_text_features(tokens.input_ids, tokens.attention_mask).pooler_output


@dataclass(frozen=True)
class Judge:
    """Chooses, of the sounds of a caption, the one whose CLAP vector has the largest cosine with the caption's.

    The pipelines' own ``score_waveforms`` compares a caption with the sounds of all others in its batch too, and may
    return one of those (github.com/huggingface/diffusers/issues/13602).

    Attributes:
        clap: a ClapModel, both halves.
        tokenizer: its tokenizer.
        features: its ClapFeatureExtractor. Of a longer sound than it hears, 10 s, the start is heard.
    """

    clap: Any
    tokenizer: Any
    features: Any

    def best(
        self, captions: list[str], candidates: Float[np.ndarray, "batch candidates samples"], rate: int
    ) -> list[np.ndarray]:
        """Return one sound (samples,) of each caption."""
        each = zip(captions, candidates, strict=True)
        return [sounds[int(self.cosines(caption, sounds, rate).argmax())] for caption, sounds in each]

    def cosines(
        self, caption: str, sounds: Float[np.ndarray, "candidates samples"], rate: int
    ) -> Float[Tensor, " candidates"]:
        """Return how near each sound is to the caption, resampled as torchaudio does it."""
        wanted, longest = self.features.sampling_rate, self.features.nb_max_samples
        heard = [resample(torch.from_numpy(sound), rate, wanted)[:longest].numpy() for sound in sounds]
        mels = self.features(
            heard, sampling_rate=wanted, truncation="rand_trunc", padding="repeatpad", return_tensors="pt"
        ).input_features
        vectors = self.clap.get_audio_features(mels.to(self.clap.device)).pooler_output
        return vectors @ text_vectors(self.clap, self.tokenizer, [caption])[0]


class RankedPipeline(DiffusersPipeline):
    """A pipeline of AudioLDM's family: DDIM with noise in its steps, and of several sounds the one that CLAP prefers.

    Args:
        name, model, license, hardware, num_steps, guidance_scale, batch_size: see ``Diffusion``.
        eta: of DDIM, from 0, no noise in the steps, to 1, the authors'.
        num_waveforms_per_prompt: sounds that are made of each caption, and timed and counted; one is returned.
        min_seconds: shorter sounds are made so long, and cut.
        clap: repository or folder of the ClapModel that chooses; None: the pipeline's own.
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
        eta: float = 0.0,
        num_waveforms_per_prompt: int = 1,
        min_seconds: float = 0.0,
        clap: str | None = None,
    ) -> None:
        super().__init__(name, model, license, hardware, num_steps, guidance_scale, batch_size)
        if not 0 <= eta <= 1:
            raise UserError(f"system.eta={eta:g} must be from 0 to 1.")
        if num_waveforms_per_prompt < 1:
            raise UserError(f"system.num_waveforms_per_prompt={num_waveforms_per_prompt} must be 1 or more.")
        self.eta, self.num_candidates = eta, num_waveforms_per_prompt
        self.min_seconds, self.clap = min_seconds, clap

    def choices(self) -> dict[str, Any]:
        """Return steps, guidance and how sounds are drawn and chosen."""
        chosen_by = {"clap": self.clap} if self.clap and self.num_candidates > 1 else {}
        drawn = {
            "eta": self.eta,
            "num_waveforms_per_prompt": self.num_candidates,
            "min_seconds": self.min_seconds,
        }
        return super().choices() | drawn | chosen_by

    def contents(self) -> dict[str, Any]:
        """Return what identifies the pipeline, and the CLAP beside it."""
        return super().contents() | ({"clap": identity(self.clap_folder)} if self.clap_folder else {})

    def foresee(self, test_set: TestSet, seeds: Sequence[int]) -> list[Path]:
        """Find or fetch the pipeline, and the CLAP beside it."""
        found = super().foresee(test_set, seeds)
        _ = self.clap_folder
        return found

    @cached_property
    def clap_folder(self) -> Path | None:
        """Where the CLAP that chooses lies; None: in the pipeline, or none is needed."""
        if self.clap is None or self.num_candidates == 1:
            return None
        return repository_folder(self.name, self.clap, _CLAP_FILES, "clap")

    @cached_property
    def folder(self) -> Path:
        """The folder of the pipeline, which can do what is asked of it."""
        folder = super().folder
        self._check(folder, pipeline_classes(folder, self.name, self.model))
        return folder

    def _check(self, folder: Path, parts: Mapping[str, str]) -> None:
        import diffusers

        scheduler = parts.get("scheduler", "")
        step = getattr(getattr(diffusers, scheduler, None), "step", None)
        if self.eta and step is not None and "eta" not in inspect.signature(step).parameters:
            raise UserError(
                f"system.eta={self.eta:g} is for DDIM: {scheduler}, the scheduler in {folder}, would ignore it. Type "
                "system.eta=0, or take the published folder."
            )
        if self.num_candidates > 1 and self.clap is None and "feature_extractor" not in parts:
            raise UserError(
                f"{self.model} has only CLAP's half for captions, so that none of "
                f"system.num_waveforms_per_prompt={self.num_candidates} sounds can be chosen. Name a whole CLAP, "
                "system.clap=laion/clap-htsat-unfused, or type system.num_waveforms_per_prompt=1."
            )

    @cached_property
    def judge(self) -> Judge:
        """Who chooses among the sounds of a caption, loaded when it is first needed."""
        if self.clap_folder is not None:
            return self._read_judge(self.clap_folder)
        return Judge(self.pipe.text_encoder, self.pipe.tokenizer, self.pipe.feature_extractor)

    def _read_judge(self, folder: Path) -> Judge:
        from transformers import ClapFeatureExtractor, ClapModel

        clap = network(ClapModel, folder, self.name, str(self.clap))
        try:
            features = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
        except LOADING_ERRORS as error:
            ending = way_out(self.name, str(self.clap), "clap")
            raise UserError(f"{folder} says not what CLAP hears: {reason(error)} {ending}") from error
        if not _holds(clap.state_dict(), self.pipe.text_encoder.state_dict()):
            log.warning(
                "CLAP of %s is another one than that of %s: it chooses all the same.", self.clap, self.model
            )
        return Judge(clap.to(self.pipe.device), self.pipe.tokenizer, features)

    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        seconds = max(seconds, self.min_seconds)
        if self.num_candidates == 1:
            return super()._make(captions, seconds, seeds)
        judge = self.judge
        sounds, rate = super()._make(captions, seconds, seeds_of_all(seeds, self.num_candidates))
        return judge.best(captions, np.reshape(sounds, (len(captions), self.num_candidates, -1)), rate), rate

    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        length = {"audio_length_in_s": _whole_frames(self.pipe, seconds)}
        drawn = {"eta": self.eta, "num_waveforms_per_prompt": self.num_candidates}
        return self._described(captions) | length | drawn

    @abstractmethod
    def _described(self, captions: list[str]) -> dict[str, Any]:
        """Return the arguments of the pipeline that say what is to be heard."""


def _whole_frames(pipe: Any, seconds: float) -> float:
    """Return the length to ask a pipeline for: whole frames of the vocoder, for it rounds down."""
    frame = math.prod(pipe.vocoder.config.upsample_rates) / pipe.vocoder.config.sampling_rate
    return (math.ceil(round(seconds / frame, 6)) + 1e-3) * frame


def _holds(whole: Mapping[str, Tensor], part: Mapping[str, Tensor]) -> bool:
    """Return whether all weights of a part are those of the whole."""
    weights = {name: tensor.cpu() for name, tensor in part.items() if not name.endswith(CONSTANTS)}
    return all(name in whole and torch.equal(whole[name].cpu(), tensor) for name, tensor in weights.items())
