"""Text encoders without their files: networks of BERT and T5 whose sizes are known."""

from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, PretrainedConfig, PreTrainedTokenizerFast, T5Config

from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import BERT_NAMES, T5_NAMES, CaptionEncoder, ClapT5, released_encoders
from audiolcm.models.t5_encoder import T5Encoder

Config = Mapping[str, Any]

KNOWN_SIZES = {
    "bert-base-uncased": BertConfig(),  # transformers' defaults are its sizes
    "google/t5-v1_1-large": T5Config(
        vocab_size=32128, d_model=1024, d_kv=64, d_ff=2816, num_layers=24, num_heads=16,
        feed_forward_proj="gated-gelu",
    ),
}  # fmt: skip
"""Published language models whose sizes are known without their files."""
_OF_FILES = "audiolcm.models.clap_t5.ClapT5TextEncoder"
_RELEASED = "audiolcm.models.clap_t5.ReleasedTextEncoder"


def has_language_models(cfg: Config) -> bool:
    """Return whether a section ``text_encoder`` is of BERT and T5."""
    return cfg["_target_"] in (_OF_FILES, _RELEASED)


def language_sizes(cfg: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the sizes of BERT and of T5.

    Raises:
        UserError: they are neither known nor in the models' files.
    """
    if not has_language_models(cfg):
        raise UserError(
            f"text_encoder.trainable=true: nothing is known of a T5 in {cfg['_target_']}. Choose "
            "text_encoder=clap_t5, or leave it out."
        )
    if cfg["_target_"] == _RELEASED:
        return cfg["bert"], cfg["t5"]
    return _sizes("bert", BertConfig, cfg["bert"], BERT_NAMES), _sizes("t5", T5Config, cfg["t5"], T5_NAMES)


def language_models(cfg: Config) -> tuple[CaptionEncoder, T5Encoder]:
    """Return both networks, untrained, at their known sizes."""
    return released_encoders(*language_sizes(cfg))


def wordless_text_encoder(cfg: Config) -> ClapT5:
    """Return a text encoder whose T5 is trained, at its known sizes; it takes ids: its tokenizers know no word."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"": 0})))
    return ClapT5(*language_models(cfg), (tokenizer, tokenizer), cfg["tokens_per_half"], trainable=True)


def _sizes(key: str, kind: type[PretrainedConfig], source: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a language model's sizes: of its config.json where it is at hand, else of ``KNOWN_SIZES``."""
    try:
        found = kind.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        if source not in KNOWN_SIZES:
            raise UserError(
                f"text_encoder.{key}={source} has no config.json here, and its sizes are not known. Give its folder, "
                f"or one of {', '.join(KNOWN_SIZES)}, whose sizes are."
            ) from error
        found = KNOWN_SIZES[source]
    return {name: getattr(found, name) for name in names}
