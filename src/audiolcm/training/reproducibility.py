"""Randomness as a function of (seed, purpose, step): what makes a resumed run equal an undisturbed one."""

import hashlib

import torch


def derived_seed(*parts: int | str) -> int:
    """Return a 63-bit seed that depends on every part and on their order."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator_for(*parts: int | str) -> torch.Generator:
    """Return a CPU generator seeded by ``derived_seed``: equal parts give equal draws in every process."""
    return torch.Generator().manual_seed(derived_seed(*parts))
