"""``stage=describe``: hyper-parameters and parameter counts of a configuration (the paper's Table 5).

Every part is built on the meta device, which allocates, trains and downloads nothing, and asked: what is told here was
read from modules, shapes of weights and of what comes out of them, not from the configuration.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from audiolcm.assembly import Method, build_denoiser
from audiolcm.audio.mel import SAMPLE_RATE, MelSpectrogram
from audiolcm.configuration.build import build
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.clap_t5 import Projection
from audiolcm.models.transformer import Transformer
from audiolcm.objectives.consistency import ConsistencyDistillation
from audiolcm.sizing.texts import has_language_models, language_models
from audiolcm.sizing.vocoder import vocoder_without_weights

Config = Mapping[str, Any]
Figures = dict[str, Any]


def describe(cfg: Config) -> Figures:
    """Return Table 5's hyper-parameters and the parameters of every part of a resolved configuration.

    Counts: ``num_trainable`` of the student; ``num_non_trainable`` of what distillation holds beside it: teacher,
    target, autoencoder and text encoder, which together are the paper's 984 M; in neither are ``num_vocoder`` and
    ``num_discriminator``, which is trained with the autoencoder by an optimizer of its own. Where the teacher's
    training trains its text encoder too, ``num_text_encoder_trained`` is of it.

    Raises:
        UserError: a part cannot be built, or the sizes of a language model are neither known nor in its files.
    """
    with torch.device("meta"):
        autoencoder: Autoencoder = build(cfg["autoencoder"]["model"], "autoencoder.model")
        text_encoder = _text_encoder(cfg["text_encoder"])
        text, width = _of_text(cfg["text_encoder"], text_encoder)
        heard = _of_autoencoder(autoencoder, cfg["dataset"]["duration"])
        network = build_denoiser(cfg, width, heard["latent_size"][0])
        with torch.device("cpu"):  # schedules and solvers compute, with little
            method = Method(cfg)
        distillation: ConsistencyDistillation = method.distillation(network, torch.zeros(1, 1, width))
        vocoder = vocoder_without_weights(cfg["vocoder"]["model"])
    student = distillation.trained["student"]
    (transformer,) = (part for part in student.modules() if isinstance(part, Transformer))
    steps = build(cfg["sampler"], "sampler").timesteps(method.schedule.num_timesteps)
    frozen = {
        "num_teacher": size(distillation.teacher),
        "num_target": size(distillation.trained["target"]),
        "num_autoencoder": size(autoencoder),
        "num_text_encoder": size(text_encoder),
    }
    if cfg["text_encoder"].get("trainable"):
        text["num_text_encoder_trained"] = size(text_encoder.get_submodule("t5_transformer"))
    return {
        **heard,
        **_of_transformer(transformer),
        "sampling_steps": len(steps),
        **text,
        "num_trainable": sum(p.numel() for part in distillation.parts().values() for p in part),
        "num_non_trainable": sum(frozen.values()),
        **frozen,
        "num_vocoder": size(vocoder),
        "num_discriminator": _discriminator(cfg["autoencoder"]["objective"], autoencoder),
    }


def size(module: nn.Module) -> int:
    """Return the number of a module's parameters, each counted once."""
    return sum(parameter.numel() for parameter in module.parameters())


def _of_autoencoder(autoencoder: Autoencoder, seconds: float) -> Figures:
    """Return its layout, and the sizes of a training example's spectrogram and latent."""
    with torch.device("cpu"):  # the front end knows no meta device
        mel = MelSpectrogram()(torch.zeros(1, round(seconds * SAMPLE_RATE)))
    mel = mel[..., : mel.shape[2] // 2 * 2].to("meta")  # training examples have an even number of frames
    latent = autoencoder.encode(mel).mode()
    levels = cast(Any, autoencoder.encoder.down)
    blocks = {len(level.block) for level in levels}
    widths = [level.block[-1].conv2.out_channels for level in levels]
    return {
        "spectrogram_channels": autoencoder.encoder.conv_in.in_channels,
        "latent_channels": autoencoder.decoder.conv_in.in_channels,
        "residual_blocks": max(blocks),  # Encoder gives all levels as many
        "spectrogram_size": list(mel.shape[1:]),
        "latent_size": list(latent.shape[1:]),
        "channel_mult": [width // autoencoder.encoder.conv_in.out_channels for width in widths],
    }


def _discriminator(cfg: Config, autoencoder: Autoencoder) -> int:
    """Return the number of parameters that are trained beside the autoencoder's."""
    with torch.device("meta"):
        objective = build(cfg, "autoencoder.objective", model=autoencoder)
    return sum(parameter.numel() for parameter in objective.parts().get("discriminator", []))


def _of_transformer(transformer: Transformer) -> Figures:
    """Return its sizes; a block holds two attentions, so that the paper's 8 blocks are ``attention_layers``."""
    first = cast(Any, transformer.blocks[0])
    attentions = (first.attention1, first.attention2)
    return {
        "input_channels": transformer.conv_in.in_channels,
        "condition_embed_dim": transformer.plain_text_embedding.mlp[0].in_features,
        "hidden_size": transformer.conv_in.out_channels,
        "heads": first.attention1.num_heads,
        "blocks": len(transformer.blocks),
        "attention_layers": len(attentions) * len(transformer.blocks),
    }


def _of_text(cfg: Config, encoder: Any) -> tuple[Figures, int]:
    """Return the text encoder's sizes and the width of its tokens; only one with a projection has its channels."""
    if not isinstance(encoder, nn.ModuleDict):
        found = {"text_encoder_channels": encoder.width, "token_length": encoder.num_tokens // 2}
        return found, encoder.width
    projection = cast(Projection, encoder["caption_encoder"].projection)
    width = projection.linear1.out_features
    found = {"text_encoder_channels": projection.linear1.in_features, "projection_channels": width}
    # What tokenizers cut to: the one size that no module here holds
    return found | {"token_length": cfg["tokens_per_half"]}, width


def _text_encoder(cfg: Config) -> nn.Module:
    """Return the text encoder; of one that reads published files the networks, at their known sizes."""
    if not has_language_models(cfg):
        return build(cfg, "text_encoder")
    caption_encoder, t5_transformer = language_models(cfg)
    return nn.ModuleDict({"caption_encoder": caption_encoder, "t5_transformer": t5_transformer})
