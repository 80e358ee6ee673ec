"""One call of the denoiser, ours and the released one, and the sampler around it."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.diffusion.sampler import ConsistencySampler, NoiseSource
from audiolcm.distributed.hardware import Hardware
from audiolcm.sizing.memory import text_shape
from benchmarks.speed.case import Case, merged
from benchmarks.speed.floor import count_flops
from benchmarks.speed.work import Work, readied, repeated, sampling
from benchmarks.yardstick.denoiser import Denoiser

Config = dict[str, Any]

LATENT_FRAMES_A_SECOND = 31.2
"""624 mel frames are called 10 s: 312 latent frames."""


def configured(case: Case, words: list[str]) -> tuple[Config, Hardware]:
    """Return the configuration of a case, and the hardware that it names."""
    cfg = compose(merged(case.overrides(), words))
    return cfg, build(cfg["hardware"], "hardware", Hardware)


def network(cfg: Config, device: torch.device) -> nn.Module:
    """Return an untrained denoiser whose zero-initialized convolutions are not zero."""
    _, text_width = text_shape(cfg)
    made = build_denoiser(cfg, text_width, cfg["autoencoder"]["model"]["latent_channels"])
    for parameter in made.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return made.to(device).eval().requires_grad_(False)


def released_network(cfg: Config, device: torch.device) -> Denoiser:
    """Return the released denoiser of the same size, untrained."""
    _, text_width = text_shape(cfg)
    sizes = {name: cfg["model"][name] for name in ("width", "depth", "num_heads", "kernel_size")}
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    max_positions = max(1000, 1 + text_shape(cfg)[0] + frames_of(30))
    with device:
        made = Denoiser(channels, text_width=text_width, max_positions=max_positions, **sizes)
    return made.eval().requires_grad_(False)


def frames_of(seconds: float) -> int:
    """Return the latent frames of so much sound."""
    return round(seconds * LATENT_FRAMES_A_SECOND)


def inputs(cfg: Config, batch: int, seconds: float, device: torch.device) -> dict[str, Tensor]:
    """Return what a student is called with."""
    tokens, width = text_shape(cfg)
    channels = cfg["autoencoder"]["model"]["latent_channels"]
    return {
        "z_t": torch.randn(batch, channels, frames_of(seconds), device=device),
        "t": torch.full((batch,), 999, device=device),
        "text": torch.randn(batch, tokens, width, device=device),
        "omega": torch.full((batch,), 4.0, device=device),
    }


def flops_of_call(cfg: Config, batch: int, seconds: float) -> int:
    """Return the operations of one call as plainly written, whichever network is measured: nothing is computed."""
    meta = torch.device("meta")
    return count_flops(partial(released_network(cfg, meta), **inputs(cfg, batch, seconds, meta)))


def denoiser(case: Case, words: list[str]) -> Work:
    """Measure one call of our denoiser."""
    cfg, hardware = configured(case, words)
    return _call(case, cfg, hardware, readied(network(cfg, hardware.torch_device()), hardware))


def released_denoiser(case: Case, words: list[str]) -> Work:
    """Measure one call of the released denoiser."""
    cfg, hardware = configured(case, words)
    return _call(case, cfg, hardware, released_network(cfg, hardware.torch_device()))


def _call(case: Case, cfg: Config, hardware: Hardware, called: nn.Module) -> Work:
    given = inputs(cfg, case.batch, case.seconds, hardware.torch_device())

    def unit() -> None:
        with sampling(hardware):
            called(**given)

    flops = flops_of_call(cfg, case.batch, case.seconds)
    return Work(repeated(unit), hardware, flops, case.batch * case.seconds)


def sampler(case: Case, words: list[str]) -> Work:
    """Measure consistency sampling: noise to latents in ``case.steps`` calls."""
    cfg, hardware = configured(case, words)
    device = hardware.torch_device()
    student = readied(network(cfg, device), hardware)
    text = inputs(cfg, case.batch, case.seconds, device)["text"]
    schedule, student_sampler = build(cfg["schedule"], "schedule"), ConsistencySampler(case.steps)
    channels = cfg["autoencoder"]["model"]["latent_channels"]

    def unit() -> None:
        noise = NoiseSource(list(range(case.batch)), channels, frames_of(case.seconds), device)
        with sampling(hardware):
            student_sampler.sample(student, schedule, noise, text, text)

    flops = case.steps * flops_of_call(cfg, case.batch, case.seconds)
    return Work(repeated(unit), hardware, flops, case.batch * case.seconds)
