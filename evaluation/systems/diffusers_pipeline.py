"""What the pipelines of the library diffusers share, as systems."""

from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

from audiolcm.errors import UserError
from evaluation.features.joint import LOADING_ERRORS
from evaluation.systems.hub import check_tokenizer, networks, pipeline_folder, reason, require, way_out
from evaluation.systems.pretrained import Denoiser, Diffusion, Sounds, generators


class DiffusersPipeline(Diffusion):
    """A pipeline of diffusers; its arguments are those of ``Diffusion``."""

    pipeline_class: str
    denoiser_part = "unet"
    packages: tuple[str, ...] = ("diffusers",)
    left_out: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> Path:
        """The folder of the pipeline."""
        require(self.name, *self.packages)
        return pipeline_folder(self.name, self.model)

    @cached_property
    def pipe(self) -> Any:
        """The pipeline, loaded when a sound is first needed, on the device."""
        folder = self.folder
        import diffusers

        parts = networks(folder, self.name, self.model, self.left_out)
        try:
            pipe = getattr(diffusers, self.pipeline_class).from_pretrained(
                folder, local_files_only=True, **parts, **dict.fromkeys(self.left_out)
            )
        except LOADING_ERRORS as error:
            ending = way_out(self.name, self.model)
            raise UserError(f"{folder} is no {self.pipeline_class}: {reason(error)} {ending}") from error
        for part, loaded in pipe.components.items():
            if part.startswith("tokenizer"):
                check_tokenizer(loaded, self.name, self.model)
        pipe.set_progress_bar_config(disable=True)
        return pipe.to(self.hardware.torch_device())

    @cached_property
    def denoiser(self) -> Denoiser:
        """The pipeline's U-Net or transformer."""
        return Denoiser(self.pipe.components[self.denoiser_part], self.hardware)

    def _make(self, captions: list[str], seconds: float, seeds: list[int]) -> Sounds:
        try:
            made = self.pipe(
                **self._asked(captions, seconds),
                num_inference_steps=self.num_steps,
                guidance_scale=self.guidance_scale,
                generator=generators(seeds),
                output_type="np",
            )
        except ValueError as error:  # what the pipelines raise on a length that they cannot make
            raise UserError(f"system={self.name}: {error}") from error
        return self._sounds_of(made, seeds)

    @abstractmethod
    def _asked(self, captions: list[str], seconds: float) -> dict[str, Any]:
        """Return the arguments of the pipeline that say what is to be heard, and how long."""

    def _sounds_of(self, made: Any, seeds: list[int]) -> Sounds:
        """Return the waveforms in what the pipeline made, and their sample rate."""
        return made.audios, self.pipe.vocoder.config.sampling_rate
