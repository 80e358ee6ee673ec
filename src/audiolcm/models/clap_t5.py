"""The paper's text encoders: the text half of MS-CLAP 2022 (BERT), frozen, and T5-v1.1-large, trained on request."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerBase, T5Config

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import (
    read_bert_config,
    read_clap_weights,
    read_t5,
    read_tokenizer,
    released_tokenizer,
    save_tokenizers,
    token_ids,
)
from audiolcm.models.layers import RoundedLinear
from audiolcm.models.t5_encoder import T5Encoder
from audiolcm.types import TextTokens, TokenIds
from audiolcm.weights.reading import misfits, shapes

BERT_NAMES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
    "max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps",
)  # fmt: skip
T5_NAMES = (
    "vocab_size", "d_model", "d_kv", "d_ff", "num_layers", "num_heads", "relative_attention_num_buckets",
    "relative_attention_max_distance", "layer_norm_epsilon", "feed_forward_proj",
)  # fmt: skip
"""What of transformers' configurations the features depend on, beside the weights."""


class Projection(nn.Module):
    """LayerNorm(e1 + W2 gelu(e1)) with e1 = W1 x, on every token.

    Args:
        width_in: width of the language model.
        width: width of the result.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width_in, width, bias=False)
        self.linear2 = nn.Linear(width, width, bias=False)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "batch tokens width_in"]) -> TextTokens:
        """Return the projected tokens."""
        projected = self.linear1(x)
        return self.layer_norm(projected + self.linear2(F.gelu(projected)))


class CaptionEncoder(nn.Module):
    """BERT and a projection of every token; parameter names are those of MS-CLAP's ``caption_encoder``.

    Args:
        config: BERT's sizes.
        width: width of the projected tokens.
    """

    def __init__(self, config: BertConfig, width: int) -> None:
        super().__init__()
        self.base = BertModel(config)
        self.projection = Projection(config.hidden_size, width)

    def forward(self, ids: Int[Tensor, "batch tokens"]) -> TextTokens:
        """Return the projected features of every token; padding is attended to."""
        hidden = self.base(input_ids=ids, attention_mask=torch.ones_like(ids))
        return self.projection(hidden.last_hidden_state)


class ClapT5(nn.Module):
    """Plain captions through CLAP's BERT, structured captions through T5, joined along the tokens.

    As in the released code there is no attention mask, so padding takes part. Always in eval mode: no dropout. BERT and
    its projection are frozen, and so is T5 unless a teacher trains it along (``trainable``). Features are float32's,
    also under autocast, but for those of a pipeline that only samples (``layers.keep_products``).

    Args:
        caption_encoder: BERT and its projection.
        t5_transformer: T5's encoder.
        tokenizers: of BERT and of T5.
        tokens_per_half: tokens of either half.
        trainable: whether T5's weights take gradients in ``encode``; calls never do.

    Attributes:
        num_tokens: 2 * tokens_per_half.
        width: width of the tokens.
    """

    def __init__(
        self,
        caption_encoder: CaptionEncoder,
        t5_transformer: T5Encoder,
        tokenizers: tuple[PreTrainedTokenizerBase, PreTrainedTokenizerBase],
        tokens_per_half: int,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        self.tokens_per_half = tokens_per_half
        self.num_tokens = 2 * tokens_per_half
        self.width = t5_transformer.config.d_model
        self.caption_encoder = caption_encoder
        self.t5_transformer = t5_transformer
        self._bert_tokenizer, self._t5_tokenizer = tokenizers
        for module in self.modules():
            if type(module) is nn.Linear:
                module.__class__ = RoundedLinear  # transformers makes them; names and weights stay
        self.requires_grad_(False).eval()
        self.t5_transformer.requires_grad_(trainable)

    def train(self, mode: bool = True) -> "ClapT5":
        """Stay in eval mode: dropout is never wanted here."""
        return super().train(False)

    def identity(self) -> dict[str, object]:
        """Return what its features depend on beside the weights: no path among it."""
        vocabularies = [sorted(t.get_vocab().items()) for t in (self._bert_tokenizer, self._t5_tokenizer)]
        digest = hashlib.sha256(json.dumps(vocabularies).encode()).hexdigest()
        return {"class": "ClapT5", "tokens_per_half": self.tokens_per_half, "vocabularies": digest}

    @torch.no_grad()
    def forward(self, captions: list[str], structured: list[str]) -> TextTokens:
        """Encode plain captions and their structured forms.

        Args:
            captions: plain captions; "" is the unconditional one.
            structured: as many structured captions, ``<event& tag>@<event& tag>``.

        Returns:
            (batch, 2 * tokens_per_half, width), the plain half first.

        Raises:
            ValueError: the lists differ in length.
        """
        ids = self.ids(captions, structured).to(self.caption_encoder.projection.linear1.weight.device)
        return self.encode(ids)

    def ids(self, captions: list[str], structured: list[str]) -> TokenIds:
        """Return the ids of the tokens that ``forward`` encodes, (batch, 2 * tokens_per_half) on the CPU."""
        if len(captions) != len(structured):
            raise ValueError(f"{len(captions)} captions but {len(structured)} structured captions")
        plain = token_ids(self._bert_tokenizer, captions, self.tokens_per_half)
        return torch.cat((plain, token_ids(self._t5_tokenizer, structured, self.tokens_per_half)), dim=1)

    def encode(self, ids: TokenIds, trained: nn.Module | None = None) -> TextTokens:
        """Return the features of tokens, with gradients where T5 is trained.

        Args:
            ids: of ``ids``, on the device of the weights.
            trained: what takes the place of ``trained_part``, such as its average.
        """
        plain, structure = ids.chunk(2, dim=1)
        # Features must not depend on whether the caller trains in mixed precision.
        samples = self.caption_encoder.projection.linear1.keeps
        with contextlib.nullcontext() if samples else torch.autocast(ids.device.type, enabled=False):
            plain_tokens = self.caption_encoder(plain)
            t5 = trained or self.t5_transformer
            hidden = t5(input_ids=structure, attention_mask=torch.ones_like(structure))
        return torch.cat((plain_tokens.float(), hidden.last_hidden_state.float()), dim=1)

    def standalone(self) -> dict[str, Any]:
        """Return the configuration of the same encoders read from an artifact, with its tokenizers."""
        bert, t5 = self.caption_encoder.base.config, self.t5_transformer.config
        return {
            "_target_": f"{ReleasedTextEncoder.__module__}.{ReleasedTextEncoder.__name__}",
            "bert": {name: getattr(bert, name) for name in BERT_NAMES},
            "t5": {name: getattr(t5, name) for name in T5_NAMES},
            "tokens_per_half": self.tokens_per_half,
        }

    def save_tokenizers(self, folder: Path) -> None:
        """Write both tokenizers into the folder of an artifact, before its card."""
        save_tokenizers(folder, {"bert_tokenizer": self._bert_tokenizer, "t5_tokenizer": self._t5_tokenizer})

    def trained_part(self) -> nn.Module:
        """Return what a teacher trains along: T5."""
        self.t5_transformer.tie()
        return self.t5_transformer


class ClapT5TextEncoder(ClapT5):
    """Both encoders from their own published files: stock T5, and BERT with its projection from MS-CLAP 2022.

    Nothing is downloaded: files must lie in local folders or in the Hugging Face cache.

    Args:
        bert: folder or hub name of BERT's config and tokenizer (bert-base-uncased).
        t5: folder or hub name of T5's config, tokenizer and weights (google/t5-v1_1-large).
        clap_checkpoint: path of CLAP_weights_2022.pth, which holds BERT's weights and the projection.
        tokens_per_half: tokens of either half.
        min_vocabulary: smallest plausible tokenizer; a smaller one is an incomplete download.
        trainable: whether a teacher trains T5 along; None is no.

    Raises:
        UserError: a file is missing or broken, keys do not match, or a tokenizer is unusable.
    """

    def __init__(
        self,
        bert: str,
        t5: str,
        clap_checkpoint: str,
        tokens_per_half: int = 77,
        min_vocabulary: int = 30000,
        trainable: bool | None = None,
    ) -> None:
        weights = read_clap_weights(clap_checkpoint)
        width = weights["projection.linear1.weight"].shape[0]
        tokenizers = (read_tokenizer(bert, min_vocabulary), read_tokenizer(t5, min_vocabulary))
        caption_encoder = CaptionEncoder(read_bert_config(bert), width)
        if problems := misfits(shapes(caption_encoder.state_dict()), shapes(weights)):
            raise UserError(
                f"{clap_checkpoint} does not fit {type(caption_encoder).__name__}: {problems}. Check that "
                "text_encoder.clap_checkpoint is CLAP_weights_2022.pth and text_encoder.bert is bert-base-uncased."
            )
        caption_encoder.load_state_dict(weights)
        t5_transformer = read_t5(t5)
        if t5_transformer.config.d_model != width:
            raise UserError(
                f"text_encoder=clap_t5: {clap_checkpoint} projects to width {width}, but T5 at {t5} has width "
                f"{t5_transformer.config.d_model}. Use google/t5-v1_1-large with CLAP_weights_2022.pth."
            )
        super().__init__(caption_encoder, t5_transformer, tokenizers, tokens_per_half, bool(trainable))


class ReleasedTextEncoder(ClapT5):
    """Both encoders as an artifact holds them, T5 fine-tuned with a teacher: a released one, or one trained here.

    Args:
        bert: sizes of BERT, names of transformers' BertConfig; the weights are in the artifact.
        t5: sizes of T5, names of transformers' T5Config.
        tokens_per_half: tokens of either half.
        bert_tokenizer, t5_tokenizer: hub names, for an artifact that was made without the tokenizers' files.
        folder: of the artifact, where the tokenizers lie in ``bert_tokenizer`` and ``t5_tokenizer``.
        trainable: whether a teacher trains T5 further; None is no.

    Raises:
        UserError: when a tokenizer is in neither place, or is another one than the weights were trained with.
    """

    def __init__(
        self,
        bert: dict[str, Any],
        t5: dict[str, Any],
        tokens_per_half: int = 77,
        bert_tokenizer: str = "bert-base-uncased",
        t5_tokenizer: str = "google/t5-v1_1-large",
        folder: Path | None = None,
        trainable: bool | None = None,
    ) -> None:
        encoders = released_encoders(bert, t5)
        names = {"bert_tokenizer": bert_tokenizer, "t5_tokenizer": t5_tokenizer}
        tokenizers = [
            released_tokenizer(folder, kind, hub_name, rows)
            for (kind, hub_name), rows in zip(
                names.items(), (bert["vocab_size"], t5["vocab_size"]), strict=True
            )
        ]
        # pyrefly: ignore[bad-argument-type]  (there are two encoders)
        super().__init__(*encoders, tuple(tokenizers), tokens_per_half, bool(trainable))


def released_encoders(bert: Mapping[str, Any], t5: Mapping[str, Any]) -> tuple[CaptionEncoder, T5Encoder]:
    """Return both networks of these sizes, untrained."""
    # pyrefly: ignore[bad-argument-type]  (one dict of sizes for arguments of several types)
    t5_config = T5Config(**{"feed_forward_proj": "gated-gelu"} | dict(t5))
    # pyrefly: ignore[bad-argument-type]  (one dict of sizes for arguments of several types)
    return CaptionEncoder(BertConfig(**bert), t5_config.d_model), T5Encoder(t5_config)
