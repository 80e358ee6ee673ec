"""Names and sizes inside the released checkpoints, and which network of ours each part is.

One file holds everything but the vocoder, under these prefixes. Make-An-Audio 2 is the teacher alone: it has no
student, no EMA target and no projection of omega. A file of the autoencoder alone has its names without a prefix.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.clap_t5 import released_encoders
from audiolcm.models.feed_forward import GEGLU
from audiolcm.models.norm import LayerNorm
from audiolcm.models.position import LearnedPosition
from audiolcm.models.transformer import Transformer
from audiolcm.published.released_config import NUM_HEADS
from audiolcm.weights.reading import shapes

Tensors = Mapping[str, Tensor]

DENOISERS = {
    "teacher": "model.diffusion_model.",
    "student": "unet.diffusion_model.",
    "target": "target_unet.diffusion_model.",
}
AUTOENCODER = "first_stage_model."
TEXT_ENCODER = "cond_stage_model."
SCALE_FACTOR = "scale_factor"
OMEGA_PROJECTION = "t_embedder.proj_w.weight"

_RENAMES = [
    (r"^timestep_embedding\.omega_projection\.", "t_embedder.proj_w."),
    (r"^timestep_embedding\.", "t_embedder."),
    (r"^plain_text_embedding\.", "c1_embedder."),
    (r"^structured_text_embedding\.", "c2_embedder."),
    (r"^position\.table\.", "pos_emb."),
    (r"^conv_in\.", "proj_in."),
    (r"^norm_out\.", "final_layer.norm_final."),
    (r"^conv_out\.", "final_layer.conv1d."),
    (r"\.group_norm\.", ".norm."),
    (r"\.conv_in\.", ".proj_in."),
    (r"\.conv_out\.", ".proj_out."),
    (r"\.norm([123])\.", r".transformer_blocks.0.norm\1."),
    (r"\.attention([12])\.", r".transformer_blocks.0.attn\1."),
    (r"\.feed_forward\.expand\.", ".transformer_blocks.0.ff.net.0.proj."),
    (r"\.feed_forward\.contract\.", ".transformer_blocks.0.ff.net.2."),
    (r"\.to_query\.", ".to_q."),
    (r"\.to_key\.", ".to_k."),
    (r"\.to_value\.", ".to_v."),
    (r"\.to_out\.", ".to_out.0."),
]


def released_name(ours: str) -> str:
    """Return the released denoiser's name (without its prefix) of a parameter of our transformer."""
    for pattern, replacement in _RENAMES:
        ours = re.sub(pattern, replacement, ours)
    return ours


@dataclass(frozen=True)
class Sizes:
    """The sizes of every part, as keyword arguments of the classes or as sections of the configuration.

    A file of the autoencoder alone has no others.
    """

    autoencoder: dict[str, Any]
    model: dict[str, int] = field(default_factory=dict)
    num_positions: int = 0
    text_width: int = 0
    bert: dict[str, int] = field(default_factory=dict)
    t5: dict[str, int] = field(default_factory=dict)

    def denoiser(self) -> Transformer:
        """Return the released variant of our transformer, untrained."""
        size = {name: self.model[name] for name in ("width", "depth", "num_heads")}
        return Transformer(
            self.autoencoder["latent_channels"],
            text_width=self.text_width,
            norm=LayerNorm,
            position=partial(LearnedPosition, max_positions=self.num_positions),
            feed_forward=partial(GEGLU, kernel_size=self.model["kernel_size"]),
            **size,
        )

    @classmethod
    def of(cls, state: Tensors, num_heads: int = NUM_HEADS) -> "Sizes":
        """Read the sizes off the shapes of a released checkpoint; ``num_heads`` no shape tells.

        Raises:
            KeyError: a tensor whose shape is needed is not there.
        """
        denoiser, first, text = (_Shapes(state, p) for p in (DENOISERS["teacher"], AUTOENCODER, TEXT_ENCODER))
        width, _, _ = denoiser["proj_in.weight"]
        return cls(
            autoencoder=_autoencoder_sizes(first),
            model={
                "width": width,
                "depth": denoiser.count(r"blocks\.(\d+)\."),
                "num_heads": num_heads,
                "kernel_size": denoiser["blocks.0.transformer_blocks.0.ff.net.0.proj.weight"][2],
            },
            num_positions=denoiser["pos_emb.weight"][0],
            text_width=denoiser["c1_embedder.mlp.0.weight"][1],
            bert=_bert_sizes(text),
            t5=_t5_sizes(text),
        )

    @classmethod
    def of_autoencoder(cls, state: Tensors) -> "Sizes":
        """Read the sizes off a checkpoint of the autoencoder alone.

        Raises:
            KeyError: as ``of``.
        """
        return cls(autoencoder=_autoencoder_sizes(_Shapes(state, "")))


class _Shapes:
    """Shapes of the tensors below one prefix."""

    def __init__(self, state: Tensors, prefix: str) -> None:
        self.prefix = prefix
        self.shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if name.startswith(prefix)}

    def __getitem__(self, name: str) -> tuple[int, ...]:
        return self.shapes[self.prefix + name]

    def count(self, pattern: str) -> int:
        """Return how many numbers stand where ``pattern`` has its group."""
        found = (re.match(re.escape(self.prefix) + pattern, name) for name in self.shapes)
        return len({match[1] for match in found if match})


def _autoencoder_sizes(first: _Shapes) -> dict[str, Any]:
    channels, num_mels, _ = first["encoder.conv_in.weight"]
    levels = first.count(r"encoder\.down\.(\d+)\.")
    return {
        "channels": channels,
        "multipliers": [
            first[f"encoder.down.{i}.block.0.conv1.weight"][0] // channels for i in range(levels)
        ],
        "num_res_blocks": first.count(r"encoder\.down\.0\.block\.(\d+)\."),
        "latent_channels": first["decoder.conv_in.weight"][1],
        "num_mels": num_mels,
    }


def _bert_sizes(text: _Shapes) -> dict[str, int]:
    base = "caption_encoder.base."
    vocab_size, hidden_size = text[f"{base}embeddings.word_embeddings.weight"]
    return {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "num_hidden_layers": text.count(r"caption_encoder\.base\.encoder\.layer\.(\d+)\."),
        # As in every BERT of its authors; no shape tells it
        "num_attention_heads": max(1, hidden_size // 64),
        "intermediate_size": text[f"{base}encoder.layer.0.intermediate.dense.weight"][0],
        "max_position_embeddings": text[f"{base}embeddings.position_embeddings.weight"][0],
        "type_vocab_size": text[f"{base}embeddings.token_type_embeddings.weight"][0],
    }


def _t5_sizes(text: _Shapes) -> dict[str, int]:
    block = "t5_transformer.encoder.block.0.layer"
    num_buckets, num_heads = text[f"{block}.0.SelfAttention.relative_attention_bias.weight"]
    inner, d_model = text[f"{block}.0.SelfAttention.q.weight"]
    return {
        "vocab_size": text["t5_transformer.shared.weight"][0],
        "d_model": d_model,
        "d_kv": inner // num_heads,
        "d_ff": text[f"{block}.1.DenseReluDense.wi_0.weight"][0],
        "num_layers": text.count(r"t5_transformer\.encoder\.block\.(\d+)\."),
        "num_heads": num_heads,
        "relative_attention_num_buckets": num_buckets,
    }


@dataclass(frozen=True)
class Slot:
    """Where a tensor of a released file belongs: the part, our name in it, and its shape."""

    part: str
    name: str
    shape: tuple[int, ...]


def expected(sizes: Sizes, denoisers: Iterable[str]) -> dict[str, Slot]:
    """Return the place of every tensor, by its full released name, for a file with these ``denoisers``."""
    with torch.device("meta"):
        denoiser = sizes.denoiser().state_dict()
        caption_encoder, t5_transformer = released_encoders(sizes.bert, sizes.t5)
    encoders = nn.ModuleDict({"caption_encoder": caption_encoder, "t5_transformer": t5_transformer})
    slots = {SCALE_FACTOR: Slot("autoencoder", SCALE_FACTOR, ())}
    for part in denoisers:
        for name, shape in shapes(denoiser).items():
            slots[DENOISERS[part] + released_name(name)] = Slot(part, name, shape)
    slots |= expected_of_autoencoder(sizes, AUTOENCODER)
    for name, shape in shapes(encoders.state_dict()).items():
        slots[TEXT_ENCODER + name] = Slot("text_encoder", name, shape)
    return slots


def expected_of_autoencoder(sizes: Sizes, prefix: str = "") -> dict[str, Slot]:
    """Return the place of every tensor of the autoencoder, whose names have ``prefix`` in the file."""
    with torch.device("meta"):
        autoencoder = dict(Autoencoder(**sizes.autoencoder).named_parameters())
    return {prefix + name: Slot("autoencoder", name, shape) for name, shape in shapes(autoencoder).items()}
