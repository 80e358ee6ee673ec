"""Tiny random BERT, T5 and CLAP with word tokenizers, in the files' published layout."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

WORDS = [
    "a",
    "dog",
    "barks",
    "then",
    "rain",
    "falls",
    "on",
    "the",
    "roof",
    "<",
    ">",
    "&",
    "@",
    "start",
    "end",
    "all",
]
WIDTH = 24


def save_tokenizer(folder: Path, *, start: str, end: str, unknown: str) -> None:
    tokens = ["<pad>", unknown, start, end, *WORDS]
    core = Tokenizer(WordLevel({token: i for i, token in enumerate(tokens)}, unk_token=unknown))
    core.pre_tokenizer = Whitespace()
    core.post_processor = TemplateProcessing(
        single=f"{start} $A {end}", special_tokens=[(start, 2), (end, 3)]
    )
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token=unknown).save_pretrained(
        folder
    )


def save_text_files(folder: Path) -> dict[str, str]:
    """Write the files and return the arguments of ClapT5TextEncoder that point at them."""
    torch.manual_seed(0)
    bert_config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    bert_config.save_pretrained(folder / "bert")
    save_tokenizer(folder / "bert", start="[CLS]", end="[SEP]", unknown="[UNK]")
    t5_config = T5Config(
        vocab_size=30, d_model=WIDTH, d_kv=8, d_ff=32, num_layers=2, num_heads=3, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )  # fmt: skip
    T5ForConditionalGeneration(t5_config).save_pretrained(folder / "t5")
    save_tokenizer(folder / "t5", start="<s>", end="</s>", unknown="<unk>")
    state = {
        f"caption_encoder.base.{name}": value for name, value in BertModel(bert_config).state_dict().items()
    }
    state |= {
        "caption_encoder.projection.linear1.weight": torch.randn(WIDTH, 16),
        "caption_encoder.projection.linear2.weight": torch.randn(WIDTH, WIDTH),
        "caption_encoder.projection.layer_norm.weight": torch.randn(WIDTH),
        "caption_encoder.projection.layer_norm.bias": torch.randn(WIDTH),
        "audio_encoder.base.conv_block1.conv1.weight": torch.randn(4, 1, 3, 3),
        "logit_scale": torch.tensor(2.0),
    }
    torch.save({"model": state}, folder / "clap.pth")
    return {
        "bert": str(folder / "bert"),
        "t5": str(folder / "t5"),
        "clap_checkpoint": str(folder / "clap.pth"),
    }
