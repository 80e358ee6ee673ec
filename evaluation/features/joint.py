"""What all CLAP networks share: sounds and captions that become vectors of one space."""

import hashlib
import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from huggingface_hub import get_session, snapshot_download
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from audiolcm.errors import UserError
from evaluation.features.extractor import Features

Vectors = Float[Tensor, "batch width"]

_PROBES = ["a dog barks", "the rain falls"]


class JointSpace(ABC):
    """A network with a half for sounds and a half for captions, as an extractor; subclasses are its two halves.

    Every sound is brought to one length by itself, so that a batch never changes it. The halves must be ready when
    this constructor is called: it tries the one for captions.

    Args:
        name, identity, sample_rate: see ``Extractor``.
        device: of torch.
        batch_size: sounds, or captions, at a time.

    Subclasses take besides:
        seed: of a random crop.
        online: whether configurations and tokenizers may be fetched from the hub.
        min_vocabulary: smallest plausible tokenizer; a smaller one is an incomplete download.
    """

    is_embedded = False

    def __init__(self, name: str, identity: str, sample_rate: int, device: str, batch_size: int) -> None:
        self.name = name
        self.identity = identity
        self.sample_rate = sample_rate
        self._device = torch.device(device)
        self._batch_size = batch_size
        self._check_captions()

    @abstractmethod
    def _hear(self, waveforms: list[np.ndarray]) -> Vectors:
        """Return a vector of length one for each waveform (samples,), which is not empty."""

    @abstractmethod
    def _read(self, captions: list[str]) -> Vectors:
        """Return a vector of length one for each caption."""

    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return ``embedding`` (1, width), of length one, of each waveform (samples,).

        Raises:
            UserError: when a waveform has no samples.
        """
        if any(len(waveform) == 0 for waveform in waveforms):
            raise UserError(f"A sound without samples cannot be heard by {self.name}. Leave it out.")
        return [{"embedding": row[None]} for row in self._in_batches(self._hear, waveforms)]

    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        """Return (captions, width), each row of length one; there must be one caption or more."""
        return np.stack(self._in_batches(self._read, captions))

    @torch.inference_mode()
    def _in_batches(self, embed: Callable[[list], Vectors], items: Sequence) -> list[np.ndarray]:
        parts = (list(items[i : i + self._batch_size]) for i in range(0, len(items), self._batch_size))
        return [row for part in parts for row in embed(part).cpu().numpy()]

    def _check_captions(self) -> None:
        """Refuse a text half that gives two captions the same vector, as an empty tokenizer or dead weights do.

        Raises:
            UserError: it does, or the vectors are not finite.
        """
        first, second = self.embed_captions(_PROBES)
        if not np.isfinite([first, second]).all() or np.allclose(first, second, rtol=0, atol=1e-6):
            raise UserError(
                f"{self.name} cannot tell {_PROBES[0]!r} from {_PROBES[1]!r}: its weights or its tokenizer are not "
                "the published ones. Get both again."
            )


HUB_SECONDS = 30.0  # without an answer
HUB_WAYS = (
    "Another try goes on where this one stopped; HF_ENDPOINT=URL names a mirror, HF_HOME=FOLDER a cache that "
    "was filled elsewhere."
)


def bound_the_hub() -> None:
    """Give every question to the hub a time-out; its package waits for ever for some of them."""
    session = get_session()
    hooks = session.event_hooks
    if _with_timeout not in hooks["request"]:
        session.event_hooks = hooks | {"request": [*hooks["request"], _with_timeout]}


def _with_timeout(request: Any) -> None:
    request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), HUB_SECONDS)


def local_folder(source: str, files: Sequence[str], online: bool, way_out: str) -> str:
    """Return where to read a repository of the Hugging Face hub from, with ``files`` of it fetched if ``online``.

    Args:
        source: a folder, or the repository's name.
        files: names or patterns of the files that are needed.
        online: whether the hub may be asked; if not, ``source`` is returned as it is, for reading from the cache.
        way_out: ends the message: what else a user can do.

    Raises:
        UserError: the hub could not be reached, or has no such repository.
    """
    if not online or Path(source).is_dir():
        return source
    try:
        bound_the_hub()
        return snapshot_download(source, allow_patterns=list(files))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{source!r} cannot be fetched from the hub ({reason}). {HUB_WAYS} {way_out}"
        ) from error


LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, SafetensorError, UnpicklingError)
"""What the libraries raise on files that are missing, damaged or of another network."""

CONSTANTS = ("position_ids", "token_type_ids", "relative_position_index")
"""Numbers that a network makes by itself; some versions of transformers stored them as well."""


def require_all_weights(report: Mapping[str, Any], network: str, place: str, way_out: str) -> None:
    """Refuse a network that transformers or diffusers made up weights of; both only warn of that.

    Args:
        report: what they tell of its loading.
        network: name of its class.
        place: where its files lie.
        way_out: ends the message.

    Raises:
        UserError: weights are missing, or of other sizes.
    """
    absent = {str(key) for key in report["missing_keys"] if not str(key).endswith(CONSTANTS)}
    if wrong := sorted(absent | set(map(str, report["mismatched_keys"]))):
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(
            f"The weights at {place} miss parts of {network}, or have other sizes: {', '.join(wrong[:5])}{more}. "
            f"{way_out}"
        )


def vocabulary_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return hexadecimal digits over the tokens and their numbers: part of what changes a caption's vector."""
    return hashlib.sha256(json.dumps(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()


KINDS = ("center", "start", "random")


@dataclass(frozen=True)
class Crop:
    """Which part of a longer sound is heard; ``str`` of it is a word for names.

    Attributes:
        kind: ``center``, ``start`` or ``random``.
        seed: of ``random``. The part hangs on the seed and the sound alone, not on what was cropped before.

    Raises:
        UserError: there is no such kind.
    """

    kind: str = "center"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"There is no crop {self.kind!r}. Choose from: {', '.join(KINDS)}.")

    def __str__(self) -> str:
        return f"random-seed{self.seed}" if self.kind == "random" else self.kind

    def __call__(self, waveform: np.ndarray, length: int) -> np.ndarray:
        """Return ``length`` samples of a longer waveform (samples,), and a shorter one as it is."""
        surplus = len(waveform) - length
        if surplus <= 0:
            return waveform
        start = {"center": surplus // 2, "start": 0, "random": self._random(waveform, surplus)}[self.kind]
        return waveform[start : start + length]

    def _random(self, waveform: np.ndarray, surplus: int) -> int:
        content = hashlib.sha256(np.ascontiguousarray(waveform).tobytes()).hexdigest()
        return random.Random(f"{self.seed} {content}").randint(0, surplus)


def repeat_and_pad(waveform: np.ndarray, length: int) -> np.ndarray:
    """Return the waveform (samples,) repeated as often as it fits whole, then zeros: LAION's ``repeatpad``."""
    repeated = np.tile(waveform, length // len(waveform))
    return np.pad(repeated, (0, length - len(repeated)))


def repeat_and_cut(waveform: np.ndarray, length: int) -> np.ndarray:
    """Return the waveform (samples,) repeated until ``length`` is full, the last time in part, as MS-CLAP does."""
    return np.resize(waveform, length)
