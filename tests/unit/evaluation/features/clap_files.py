"""Random CLAP networks and tokenizers in the files' published layout, and sounds for them."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast, RobertaConfig

from evaluation.features.laion import ROBERTA_BASE, build_network

# fmt: off
WORDS = ["a", "the", "dog", "cat", "rain", "barks", "falls", "then", "on", "roof", "loudly", "softly", "far", "near",
         "birds", "sing"]
# fmt: on
ROBERTA_TOKENS = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    *WORDS,
]  # the special ones have the numbers of roberta-base
BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
CAPTIONS = ["a dog barks", "the rain falls then birds sing", "cat", "", "loudly softly far near " * 40]
TINY_TEXT = {"vocab_size": 40, "num_hidden_layers": 1, "intermediate_size": 32, "max_position_embeddings": 90}


@dataclass(frozen=True)
class LaionFiles:
    """Where a checkpoint and its tokenizer lie, and how LaionClap is called with them."""

    weights: Path
    tokenizer: Path
    text_sizes: dict[str, int] = field(default_factory=dict)
    min_vocabulary: int = 20

    @property
    def arguments(self) -> dict:
        return {
            "weights": str(self.weights),
            "tokenizer": str(self.tokenizer),
            "text_sizes": self.text_sizes,
            "min_vocabulary": self.min_vocabulary,
        }


def save_tokenizer(folder: Path, tokens: list[str], **special: str) -> None:
    """Save a tokenizer of whole words; ``special``: start, end, pad, unk."""
    numbers = {token: i for i, token in enumerate(tokens)}
    core = Tokenizer(WordLevel(numbers, unk_token=special["unk"]))
    core.pre_tokenizer = Whitespace()
    ends = [(special[end], numbers[special[end]]) for end in ("start", "end")]
    core.post_processor = TemplateProcessing(
        single=f"{special['start']} $A {special['end']}", special_tokens=ends
    )
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=special["pad"], unk_token=special["unk"]
    ).save_pretrained(folder)


def save_roberta_tokenizer(folder: Path) -> None:
    save_tokenizer(folder, ROBERTA_TOKENS, start="<s>", end="</s>", pad="<pad>", unk="<unk>")


@torch.no_grad()
def randomize(network: nn.Module) -> nn.Module:
    """Draw weights with which different inputs give clearly different outputs, which fresh ones do not."""
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.dim() > 1:
            gain = 2.0 if parameter.dim() == 4 else 1.0  # what ReLU takes away
            parameter.normal_(std=(gain / parameter[0].numel()) ** 0.5)
        elif parameter.requires_grad:
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    for name, buffer in network.named_buffers():
        if name.endswith("bn0.running_mean"):
            buffer.normal_(mean=-30.0)  # dB
        elif name.endswith("bn0.running_var"):
            buffer.fill_(400.0)
    return network


def save_laion(folder: Path, text_sizes: dict[str, int] = TINY_TEXT, seed: int = 0) -> LaionFiles:
    """Save a checkpoint as training left the published ones: prefixes, position_ids, numpy scalars beside it."""
    torch.manual_seed(seed)
    save_roberta_tokenizer(folder / "roberta")
    sizes = ROBERTA_BASE | text_sizes
    network = randomize(build_network("HTSAT-tiny", RobertaConfig(**sizes)))
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(sizes["max_position_embeddings"])[None]
    stored = {"epoch": 45, "name": "best", "state_dict": state, "metric": np.float64(0.5)}
    torch.save(stored, folder / "laion.pt")
    return LaionFiles(folder / "laion.pt", folder / "roberta", text_sizes)


def sounds(sample_rate: int) -> list[np.ndarray]:
    """Return noise and tones of under 3 s, 9.984 s and 10 s, all different; the second one is louder than 1."""
    rng = np.random.default_rng(0)
    time = np.arange(10 * sample_rate) / sample_rate
    tone = np.sin(2 * np.pi * 440 * time) * np.exp(-time % 1.0)
    noise = rng.standard_normal(len(time))
    found = [
        0.1 * noise[: int(2.7 * sample_rate)],
        (2.0 * tone)[: int(9.984 * sample_rate)],
        0.3 * tone * noise,
    ]
    return [sound.astype(np.float32) for sound in found]


def laion_to_transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return LAION's weights under the names that ClapModel of transformers has for them."""
    words = [
        (r"^text_branch\.", "text_model."),
        (r"^audio_branch\.", "audio_model.audio_encoder."),
        (r"_projection\.(0|2)\.", lambda m: f"_projection.linear{1 + int(m[1]) // 2}."),
        (r"\.bn0\.", ".batch_norm."),
        (r"\.mlp\.fc1\.", ".intermediate.dense."),
        (r"\.mlp\.fc2\.", ".output.dense."),
        (r"\.attn\.proj\.", ".attention.output.dense."),
        (r"\.attn\.", ".attention.self."),
        (r"\.norm1\.", ".layernorm_before."),
        (r"\.norm2\.", ".layernorm_after."),
    ]
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in words:
            name = re.sub(pattern, replacement, name)
        parts = tensor.chunk(3) if ".qkv." in name else ()
        renamed |= {
            name.replace("qkv", kind): p for kind, p in zip(("query", "key", "value"), parts, strict=False)
        }
        if not parts:
            renamed[name] = tensor
    return renamed
