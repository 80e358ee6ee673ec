"""Filters, also to another sampling rate, as one matrix product for each block of a sequence.

A block is seen with some of its neighbors, so that the rows of two products overlap; of one sequence none is copied.
"""

import torch
from torch import Tensor


def banded(taps: Tensor, outputs: int, inputs: int, first: int, per_output: int, per_input: int) -> Tensor:
    """Return a matrix of the taps at ``first + per_output output + per_input input``, and zeros beyond them."""
    output, seen = torch.arange(outputs, device=taps.device), torch.arange(inputs, device=taps.device)
    place = first + per_output * output.unsqueeze(1) + per_input * seen
    return taps[place.clamp(0, len(taps) - 1)] * ((place >= 0) & (place < len(taps)))


def filter_blocks(tokens: Tensor, matrix: Tensor, block: int) -> Tensor:
    """Return the product of a matrix with each block of (batch, tokens, channels) and what it sees beyond it."""
    windows = tokens.unfold(1, matrix.shape[1], block).mT.flatten(0, 1)
    rows = torch.bmm(matrix.expand(len(windows), -1, -1), windows)
    return rows.reshape(len(tokens), -1, tokens.shape[2])
