"""Text features without weights: every word has a fixed random vector, the same on every computer."""

import hashlib
import logging
import re

import numpy as np
import torch
from torch import nn

from audiolcm.types import TextTokens

logger = logging.getLogger(__name__)

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_STRUCTURE = re.compile(rf"&\s*[^\W_]+|@|{_WORD.pattern}")
_VOWEL = re.compile(r"[aeiouy]")
_STEM_SHARE = 0.75
_POSITION_SCALE = 0.3
_BYTES_PER_NORMAL = 12


class HashedTextEncoder(nn.Module):
    """Deterministic token features in the two-part shape of the real text encoders.

    A token is a unit-variance vector drawn from the BLAKE2b digest of its word; forms of one word
    ("barks", "barking") share three quarters of its variance. A smaller vector marks its position, because
    the real encoders' features know theirs too. Each half is [begin, words ..., padding ...]: an empty caption
    is a valid input, the unconditional one. The structured half keeps the time tag (``&start``) that closes an
    event and the separator ``@`` as tokens. Draws are sums of bytes, so they are equal to the last bit
    everywhere.

    Args:
        tokens_per_half: tokens of either half; longer captions are cut, which is logged once.
        width: size of a vector.
        seed: another seed gives other vectors.

    Attributes:
        num_tokens: 2 * tokens_per_half.
        width: size of a vector.
    """

    def __init__(self, tokens_per_half: int = 24, width: int = 128, seed: int = 0) -> None:
        super().__init__()
        self.tokens_per_half = tokens_per_half
        self.num_tokens = 2 * tokens_per_half
        self.width = width
        self.seed = seed
        self._vectors: dict[str, np.ndarray] = {}
        self._truncation_logged = False
        positions = [self._normal(f"position {i}") for i in range(tokens_per_half)]
        self._positions = _POSITION_SCALE * np.stack(positions)
        # Gives the encoder a device that follows .to(); nothing of it goes into a checkpoint.
        self.register_buffer("_device_marker", torch.empty(0), persistent=False)

    @torch.no_grad()
    def forward(self, captions: list[str], structured: list[str]) -> TextTokens:
        """Encode plain captions and their structured forms.

        Args:
            captions: plain captions; "" is the unconditional one.
            structured: as many structured captions, ``<event& tag>@<event& tag>``.

        Returns:
            (batch, 2 * tokens_per_half, width) float32, the plain half first.

        Raises:
            ValueError: the lists differ in length.
        """
        halves = [
            np.concatenate((self._half(words(caption)), self._half(structure_tokens(structure))))
            for caption, structure in zip(captions, structured, strict=True)
        ]
        return torch.from_numpy(np.stack(halves)).to(self._device_marker.device)

    def _half(self, tokens: list[str]) -> np.ndarray:
        kept = tokens[: self.tokens_per_half - 1]
        if len(kept) < len(tokens) and not self._truncation_logged:
            self._truncation_logged = True
            logger.warning(
                "A caption has %d tokens and was cut to text_encoder.tokens_per_half - 1 = %d: %r ... "
                "Later cuts are not reported.",
                len(tokens),
                len(kept),
                " ".join(tokens[:8]),
            )
        half = np.tile(self._normal("padding"), (self.tokens_per_half, 1))
        used = len(kept) + 1
        # pyrefly: ignore[bad-assignment]  (the name is used again for an array)
        tokens = np.stack([self._normal("begin"), *map(self._word, kept)])
        tokens[0] = (
            # pyrefly: ignore[missing-attribute]  (the name is used again for an array)
            tokens.sum(axis=0) / used**0.5
        )  # every word heard in one place, as a real encoder's first token
        # pyrefly: ignore[unsupported-operation]  (the name is used again for an array)
        half[:used] = tokens + self._positions[:used]
        return half

    def _word(self, word: str) -> np.ndarray:
        shared, own = self._normal(f"stem {stem(word)}"), self._normal(f"word {word}")
        return (_STEM_SHARE**0.5 * shared + (1 - _STEM_SHARE) ** 0.5 * own).astype(np.float32)

    def _normal(self, key: str) -> np.ndarray:
        """Return (width,) approximately normal numbers: sums of 12 uniform bytes, to unit variance."""
        if key not in self._vectors:
            count = self.width * _BYTES_PER_NORMAL
            name = f"{self.seed}:{key}".encode()
            salts = (block.to_bytes(16, "big") for block in range(-(-count // 64)))
            digest = b"".join(hashlib.blake2b(name, salt=salt).digest() for salt in salts)
            uniform = np.frombuffer(digest[:count], dtype=np.uint8).reshape(self.width, -1)
            variance = _BYTES_PER_NORMAL * (256**2 - 1) / 12
            centered = uniform.sum(axis=1, dtype=np.int64) - 127.5 * _BYTES_PER_NORMAL
            self._vectors[key] = (centered / variance**0.5).astype(np.float32)
        return self._vectors[key]


def words(caption: str) -> list[str]:
    """Return the lower-cased words and numbers of a caption; punctuation is dropped."""
    return _WORD.findall(caption.lower())


def structure_tokens(structured: str) -> list[str]:
    """Return words, time tags (``&start``) and separators (``@``) of ``<event& tag>@<event& tag>``."""
    return [re.sub(r"&\s*", "&", token) for token in _STRUCTURE.findall(structured.lower())]


def stem(word: str) -> str:
    """Cut simple plural and verb endings: bark, barks, barking and barked give "bark"."""
    for ending, replacement in (("ies", "y"), ("ied", "y"), ("ing", ""), ("es", ""), ("ed", ""), ("s", "")):
        root = word.removesuffix(ending) + replacement
        if word.endswith(ending) and len(root) >= 3 and _VOWEL.search(root) and not word.endswith("ss"):
            word = root
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word
