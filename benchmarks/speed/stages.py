"""The decoder and the vocoder by themselves, ours and the released ones."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from audiolcm.audio.mel import NUM_MELS
from audiolcm.configuration.build import build
from audiolcm.distributed.hardware import Hardware
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.bigvgan import BigVGAN
from benchmarks.speed.case import Case
from benchmarks.speed.denoising import Config, configured, frames_of
from benchmarks.speed.work import Work, readied, repeated
from benchmarks.yardstick.bigvgan import BigVGAN as ReleasedBigVGAN
from benchmarks.yardstick.decoder import Decoder

BIGVGAN = {"tiny": {"channels": 64}}
"""Sizes of BigVGAN that are not the published ones: beside the tiny model stands a small one."""


def autoencoder(cfg: Config, device: torch.device) -> Autoencoder:
    """Return an untrained autoencoder."""
    made = build(cfg["autoencoder"]["model"], "autoencoder.model", Autoencoder)
    return made.to(device).eval().requires_grad_(False)


def released_decoder_network(cfg: Config, device: torch.device) -> Decoder:
    """Return the released decoder of the same size, untrained."""
    sizes = {name: value for name, value in cfg["autoencoder"]["model"].items() if name != "_target_"}
    with device:
        return Decoder(**sizes).eval().requires_grad_(False)


def vocoder_network(case: Case, cfg: Config, device: torch.device) -> nn.Module:
    """Return the vocoder that a case names, untrained."""
    if case.variant == "bigvgan":
        made: nn.Module = BigVGAN(**BIGVGAN.get(case.size, {}))
    else:
        made = build(cfg["vocoder"]["model"], "vocoder.model", nn.Module)
    return made.to(device).eval().requires_grad_(False)


def released_vocoder_network(case: Case, device: torch.device) -> ReleasedBigVGAN:
    """Return BigVGAN as released, untrained."""
    with device:
        return ReleasedBigVGAN(**BIGVGAN.get(case.size, {})).eval().requires_grad_(False)


def decoder(case: Case, words: list[str]) -> Work:
    """Measure our decoder: latents to mels."""
    cfg, hardware = configured(case, words)
    made = autoencoder(cfg, hardware.torch_device())
    readied(made, hardware)
    return _decoding(case, cfg, hardware, made.decode)


def released_decoder(case: Case, words: list[str]) -> Work:
    """Measure the released decoder."""
    cfg, hardware = configured(case, words)
    return _decoding(case, cfg, hardware, released_decoder_network(cfg, hardware.torch_device()))


def _decoding(case: Case, cfg: Config, hardware: Hardware, decode: Callable[[Tensor], object]) -> Work:
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    latents = torch.randn(case.batch, channels, frames_of(case.seconds), device=hardware.torch_device())

    def unit() -> None:
        with torch.no_grad(), hardware.autocast():
            decode(latents)

    return Work(repeated(unit), hardware, sound=case.batch * case.seconds)


def vocoder(case: Case, words: list[str]) -> Work:
    """Measure one of our vocoders: mels to waveforms."""
    cfg, hardware = configured(case, words)
    made = vocoder_network(case, cfg, hardware.torch_device())
    return _sounding(case, hardware, readied(made, hardware))


def released_vocoder(case: Case, words: list[str]) -> Work:
    """Measure BigVGAN as released."""
    _, hardware = configured(case, words)
    return _sounding(case, hardware, released_vocoder_network(case, hardware.torch_device()))


def _sounding(case: Case, hardware: Hardware, sound: nn.Module) -> Work:
    """Return the work of a vocoder; it computes in float32 whatever the denoiser does."""
    mels = (
        torch.rand(case.batch, NUM_MELS, 2 * frames_of(case.seconds), device=hardware.torch_device()) * 4 - 4
    )

    @torch.no_grad()
    def unit() -> None:
        sound(mels)

    return Work(repeated(unit), hardware.in_precision("float32"), sound=case.batch * case.seconds)
