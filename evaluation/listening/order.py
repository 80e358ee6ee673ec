"""The order in which a rater hears the trials: shuffled by the rater's id alone, the same in the page's script.

Tokens are random, so hashes of id and token are a random order, which can be rebuilt from an answer file at any time.
"""

from collections.abc import Iterable

_BITS = 0xFFFFFFFF


def mixed(text: str) -> int:
    """Return 32 bits of an ASCII text: FNV-1a, then the finalizer of MurmurHash3 for bits that all depend on all."""
    value = 0x811C9DC5
    for byte in text.encode("ascii"):
        value = (value ^ byte) * 0x01000193 & _BITS
    value = (value ^ value >> 16) * 0x85EBCA6B & _BITS
    value = (value ^ value >> 13) * 0xC2B2AE35 & _BITS
    return value ^ value >> 16


def order_for(rater: str, tokens: Iterable[str]) -> list[str]:
    """Return the tokens of one part of the test in the order of this rater."""
    return sorted(tokens, key=lambda token: (mixed(f"{rater}|{token}"), token))
