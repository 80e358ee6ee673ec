"""T5's encoder as transformers has it, with what a training asks of a network: its blocks, and their recomputation."""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import T5EncoderModel


class T5Encoder(T5EncoderModel):
    """The encoder of T5; parameter names and features are those of ``T5EncoderModel``."""

    @property
    def blocks(self) -> nn.ModuleList:
        """The transformer blocks, one after the other."""
        return self.encoder.block

    @property
    def recompute(self) -> bool:
        """Whether the backward pass computes the activations of the blocks again instead of keeping them."""
        return any("forward" in vars(block) for block in self.blocks)

    @recompute.setter
    def recompute(self, wanted: bool) -> None:
        for block in self.blocks:
            vars(block).pop("forward", None)
            if wanted:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def tie(self) -> None:
        """Make the table of words, which weights hold under two names, one parameter again."""
        self.set_input_embeddings(self.encoder.embed_tokens)
