"""The paper's text encoders: the text half of MS-CLAP 2022 (BERT) and T5-v1.1-large, frozen."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from audiolcm.errors import UserError
from audiolcm.models.clap_t5_files import (
    read_bert_config,
    read_clap_weights,
    read_t5,
    read_tokenizer,
    token_ids,
)
from audiolcm.types import TextTokens


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


def load_exactly(module: nn.Module, weights: dict[str, Tensor], source: str) -> None:
    """Copy ``weights`` into ``module`` if, and only if, names and shapes are the same.

    Raises:
        UserError: a name is missing or left over, or a shape differs; the first ones are named.
    """
    expected = module.state_dict()
    problems = [f"missing {name}" for name in expected if name not in weights]
    problems += [f"unknown {name}" for name in weights if name not in expected]
    problems += [
        f"{name} is {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if problems:
        raise UserError(
            f"{source} does not fit {type(module).__name__}: {'; '.join(problems[:5])}"
            f"{f'; and {len(problems) - 5} more' if len(problems) > 5 else ''}. "
            "Check that text_encoder.clap_checkpoint is CLAP_weights_2022.pth and text_encoder.bert is "
            "bert-base-uncased."
        )
    module.load_state_dict(weights)


class ClapT5TextEncoder(nn.Module):
    """Plain captions through CLAP's BERT, structured captions through T5, joined along the tokens.

    Nothing is downloaded: files must lie in local folders or in the Hugging Face cache. As in the released
    code there is no attention mask, so padding takes part. The encoder is frozen and stays in eval mode.

    Args:
        bert: folder or hub name of BERT's config and tokenizer (bert-base-uncased).
        t5: folder or hub name of T5's config, tokenizer and weights (google/t5-v1_1-large).
        clap_checkpoint: path of CLAP_weights_2022.pth, which holds BERT's weights and the projection.
        tokens_per_half: tokens of either half.
        min_vocabulary: smallest plausible tokenizer; a smaller one is an incomplete download.

    Attributes:
        num_tokens: 2 * tokens_per_half.
        width: width of the tokens.

    Raises:
        UserError: a file is missing or broken, keys do not match, or a tokenizer is unusable.
    """

    def __init__(
        self, bert: str, t5: str, clap_checkpoint: str, tokens_per_half: int = 77, min_vocabulary: int = 30000
    ) -> None:
        super().__init__()
        self.tokens_per_half = tokens_per_half
        self.num_tokens = 2 * tokens_per_half
        weights = read_clap_weights(clap_checkpoint)
        self.width = weights["projection.linear1.weight"].shape[0]
        self._bert_tokenizer = read_tokenizer(bert, min_vocabulary)
        self._t5_tokenizer = read_tokenizer(t5, min_vocabulary)
        self.caption_encoder = CaptionEncoder(read_bert_config(bert), self.width)
        load_exactly(self.caption_encoder, weights, clap_checkpoint)
        self.t5_transformer = read_t5(t5)
        if self.t5_transformer.config.d_model != self.width:
            raise UserError(
                f"text_encoder=clap_t5: {clap_checkpoint} projects to width {self.width}, but T5 at {t5} has width "
                f"{self.t5_transformer.config.d_model}. Use google/t5-v1_1-large with CLAP_weights_2022.pth."
            )
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "ClapT5TextEncoder":
        """Stay in eval mode: dropout is never wanted here."""
        return super().train(False)

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
        if len(captions) != len(structured):
            raise ValueError(f"{len(captions)} captions but {len(structured)} structured captions")
        device = self.caption_encoder.projection.linear1.weight.device
        plain = token_ids(self._bert_tokenizer, captions, self.tokens_per_half).to(device)
        structure = token_ids(self._t5_tokenizer, structured, self.tokens_per_half).to(device)
        # Cached features must not depend on whether the caller trains in mixed precision.
        with torch.autocast(device.type, enabled=False):
            plain_tokens = self.caption_encoder(plain)
            hidden = self.t5_transformer(input_ids=structure, attention_mask=torch.ones_like(structure))
        return torch.cat((plain_tokens, hidden.last_hidden_state), dim=1)
