"""Text to waveform: all stages of ours with either vocoder, and of the released pipeline."""

import torch

from audiolcm.configuration.build import build
from audiolcm.diffusion.sampler import ConsistencySampler
from audiolcm.models.clap_t5 import ClapT5, released_encoders
from audiolcm.pipeline import AudioLCM
from audiolcm.types import TextEncoder
from benchmarks.published import RELEASED, word_tokenizer
from benchmarks.speed.case import Case
from benchmarks.speed.denoising import Config, configured, frames_of, network, released_network
from benchmarks.speed.stages import (
    autoencoder,
    released_decoder_network,
    released_vocoder_network,
    vocoder_network,
)
from benchmarks.speed.work import Stages, Work, repeated
from benchmarks.yardstick.pipeline import Pipeline

CAPTION = "a dog barks while rain falls"
HOP_SECONDS = 256 / 16000
"""Of a mel frame; 10 s are 624 of them, which is 9.984 s of sound."""


def text_encoder(case: Case, cfg: Config) -> TextEncoder:
    """Return the text encoder: of tiny the hashed one, else BERT and T5-large of the published sizes, untrained."""
    if case.size == "tiny":
        return build(cfg["text_encoder"], "text_encoder", TextEncoder)
    encoders = released_encoders(RELEASED.bert, RELEASED.t5)
    tokenizers = (word_tokenizer(RELEASED.bert["vocab_size"]), word_tokenizer(RELEASED.t5["vocab_size"]))
    return ClapT5(*encoders, tokenizers, cfg["text_encoder"]["tokens_per_half"])


def pipeline(case: Case, words: list[str]) -> AudioLCM:
    """Return our pipeline with untrained networks of the case's size."""
    cfg, hardware = configured(case, words)
    device = hardware.torch_device()
    return AudioLCM(
        text_encoder(case, cfg),
        network(cfg, device),
        autoencoder(cfg, device),
        vocoder_network(case, cfg, device),
        build(cfg["schedule"], "schedule"),
        ConsistencySampler(case.steps),
        hardware,
    )


def synthesis(case: Case, words: list[str]) -> Work:
    """Measure our pipeline, the text of every call encoded anew."""
    return _synthesis(case, words, cold=True)


def warm_synthesis(case: Case, words: list[str]) -> Work:
    """Measure our pipeline on prompts whose text features it remembers."""
    return _synthesis(case, words, cold=False)


def _synthesis(case: Case, words: list[str], cold: bool) -> Work:
    model = pipeline(case, words)
    duration = 2 * frames_of(case.seconds) * HOP_SECONDS
    captions = [f"{CAPTION} {number}" for number in range(case.batch)]

    def unit() -> Stages:
        if cold:
            model.forget_prompts()
        return model(captions, duration=duration, seed=list(range(case.batch))).seconds

    return Work(repeated(unit), model.hardware, None, case.batch * case.seconds)


def released_synthesis(case: Case, words: list[str]) -> Work:
    """Measure the released pipeline with BigVGAN."""
    cfg, hardware = configured(case, words)
    device = hardware.torch_device()
    made = Pipeline(
        text_encoder(case, cfg).to(device),
        released_network(cfg, device),
        released_decoder_network(cfg, device),
        released_vocoder_network(case, cfg, device),
        case.steps,
    )
    captions = [f"{CAPTION} {number}" for number in range(case.batch)]
    channels, frames = cfg["autoencoder"]["model"]["latent_channels"], frames_of(case.seconds)

    def unit() -> Stages:
        structured = [f"<{caption}& all>" for caption in captions]
        with hardware.autocast(), torch.no_grad():
            return made(captions, structured, channels, frames, list(range(case.batch)))[1]

    return Work(repeated(unit), hardware, None, case.batch * case.seconds)
