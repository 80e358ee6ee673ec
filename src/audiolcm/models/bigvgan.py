"""BigVGAN (Lee et al., ICLR 2023), the vocoder of the paper: log-mel spectrogram to waveform.

Submodules carry the names of the published checkpoint, so its keys load one to one once weight norm is folded
(``bigvgan_checkpoint``).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.errors import UserError
from audiolcm.models.anti_aliasing import SAMPLES_SEEN, AntiAliasedSnake
from audiolcm.models.bigvgan_checkpoint import (
    LICENSE,
    load_generator,
    published_sizes,
    read_arguments,
    require_mel_range,
)
from audiolcm.models.long_convolution import SampleConv, SampleUpsampling
from audiolcm.types import Mel, Waveform
from audiolcm.weights.reading import sha256

PUBLISHED = "audiolcm.models.bigvgan.BigVGAN.from_published"
"""What a configuration names that takes the published weights."""

FRAMES_AT_ONCE = 1024
"""About 16 seconds: what is computed twice around them is a twelfth of it."""

MEL_LOG_FACTORS = {"log10": 1.0, "ln": math.log(10.0)}
"""What a log10 mel is multiplied by to become the kind of mel that a checkpoint was trained on."""


class AmpBlock(nn.Module):
    """Anti-aliased multi-periodicity block: for each dilation x += conv(snake(dilated conv(snake(x))))."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            SampleConv(channels, channels, kernel, dilation) for dilation in dilations
        )
        self.convs2 = nn.ModuleList(SampleConv(channels, channels, kernel) for _ in dilations)
        self.activations = nn.ModuleList(AntiAliasedSnake(channels) for _ in range(2 * len(dilations)))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, samples, channels) -> the same shape."""
        for i, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            x = x + plain(self.activations[2 * i + 1](dilated(self.activations[2 * i](x))))
        return x


class BigVGAN(nn.Module):
    """Log10 mel (batch, 80, frames) of ``audio.mel`` -> waveform (batch, 256 frames) in [-1, 1].

    ``mel_log`` names the logarithm that the weights were trained on: "log10" for the checkpoint of Make-An-Audio 2 and
    AudioLCM, "ln" for NVIDIA's own.

    Attributes:
        standalone: of a vocoder ``from_published``, the configuration that builds the same network without those files.
        origin: of such a vocoder, the file that its weights are from.

    Raises:
        UserError: ``mel_log`` is another word.
    """

    standalone: dict[str, Any]
    origin: dict[str, str]

    def __init__(
        self,
        num_mels: int = 80,
        channels: int = 1536,
        upsample_rates: Sequence[int] = (4, 4, 2, 2, 2, 2),
        upsample_kernels: Sequence[int] = (8, 8, 4, 4, 4, 4),
        block_kernels: Sequence[int] = (3, 7, 11),
        block_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        mel_log: str = "log10",
    ) -> None:
        super().__init__()
        if mel_log not in MEL_LOG_FACTORS:
            raise UserError(
                f"vocoder: mel_log={mel_log} is unknown. Choose one of {', '.join(MEL_LOG_FACTORS)}."
            )
        self.mel_factor = MEL_LOG_FACTORS[mel_log]
        self.num_blocks = len(block_kernels)
        self.hop = math.prod(upsample_rates)
        self.frames_seen = _frames_seen(upsample_rates, upsample_kernels, block_kernels, block_dilations)
        self.conv_pre = SampleConv(num_mels, channels, 7)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(upsample_rates, upsample_kernels, strict=True):
            self.ups.append(nn.ModuleList([SampleUpsampling(channels, channels // 2, kernel, rate)]))
            channels //= 2
            for block_kernel, dilations in zip(block_kernels, block_dilations, strict=True):
                self.resblocks.append(AmpBlock(channels, block_kernel, dilations))
        self.activation_post = AntiAliasedSnake(channels)
        self.conv_post = SampleConv(channels, 1, 7)

    @classmethod
    def from_published(
        cls,
        path: str | Path | None,
        mel_log: str = "log10",
        mel_range: Sequence[int | float] | None = None,
        weight_norm: bool = False,
    ) -> "BigVGAN":
        """Return the vocoder of a folder with ``best_netG.pt`` and ``args.yml`` (or the path of the former).

        It is ready to use. ``mel_range`` (lowest and highest frequency in Hz) overrules fmin and fmax of args.yml.
        ``weight_norm`` leaves the file's weight norm in place, for training further.

        Raises:
            UserError: a file is missing or broken, a key of the checkpoint or of args.yml is missing, unknown or of
                another shape, or the vocoder was trained on another mel range than ours.
        """
        weights, arguments = read_arguments(path)
        require_mel_range(weights, arguments, mel_range)
        settings = published_sizes(arguments) | {"mel_log": mel_log}
        try:
            model = cls(**settings)
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise UserError(
                f"BigVGAN: the args.yml beside {weights} describes no vocoder ({error}). Download it again."
            ) from error
        load_generator(model, weights, weight_norm)
        model.standalone = {"_target_": f"{cls.__module__}.{cls.__qualname__}"} | settings
        model.origin = {
            "name": "BigVGAN",
            "file": weights.name,
            "sha256": sha256(weights),
            "license": LICENSE,
        }
        return model.eval().requires_grad_(False)

    def forward(self, mel: Mel) -> Waveform:
        """Log10 mel (batch, 80, frames) -> waveform (batch, 256 frames).

        Without gradients the memory it takes does not grow beyond that of ``FRAMES_AT_ONCE``: of a longer mel parts
        are taken, with as many frames around them as have an influence.
        """
        if torch.is_grad_enabled() or mel.shape[2] <= FRAMES_AT_ONCE:
            return self._whole(mel)
        parts = []
        for start in range(0, mel.shape[2], FRAMES_AT_ONCE):
            first, stop = max(start - self.frames_seen, 0), start + FRAMES_AT_ONCE
            samples = self._whole(mel[:, :, first : stop + self.frames_seen])
            parts.append(samples[:, (start - first) * self.hop : (stop - first) * self.hop])
        return torch.cat(parts, dim=1)

    def _whole(self, mel: Mel) -> Waveform:
        x = self.conv_pre(mel.mT * self.mel_factor)
        # pyrefly: ignore[not-iterable]  (each is a ModuleList of one)
        for level, (up,) in enumerate(self.ups):
            x = up(x).float()  # under autocast the products are rounded, not what they are added to
            blocks = self.resblocks[level * self.num_blocks : (level + 1) * self.num_blocks]
            x = sum(block(x) for block in blocks) / self.num_blocks
        with torch.autocast(mel.device.type, enabled=False):  # bfloat16 would leave a waveform 8 bits
            return torch.tanh(self.conv_post(self.activation_post(x))).squeeze(2)


def _frames_seen(
    rates: Sequence[int],
    kernels: Sequence[int],
    block_kernels: Sequence[int],
    block_dilations: Sequence[Sequence[int]],
) -> int:
    """Return how many frames before and after it a sample depends on, at most."""
    frames, rate = 3.0, 1
    of_blocks = max(
        sum((dilation + 1) * (kernel // 2) + 2 * SAMPLES_SEEN for dilation in dilations)
        for kernel, dilations in zip(block_kernels, block_dilations, strict=True)
    )
    for up, kernel in zip(rates, kernels, strict=True):
        frames += -(-kernel // up) / rate
        rate *= up
        frames += of_blocks / rate
    return math.ceil(frames + (SAMPLES_SEEN + 3) / rate)
