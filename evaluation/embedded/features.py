"""The embedded evaluator as an extractor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from audiolcm.audio.mel import SAMPLE_RATE
from audiolcm.data.manifest import fallback_structure
from audiolcm.storage.hashing import content_hash
from audiolcm.weights.artifacts import Artifact
from evaluation.embedded.network import EvaluatorNetwork
from evaluation.features.extractor import Features, in_equal_lengths, require_length
from evaluation.features.mel import log_mel

_VERSION = "embedded-v1"  # change it with anything in `log_mel` or `extract`


class EmbeddedExtractor:
    """Features of a trained evaluator.

    ``embedding`` (rows, width): one row for 0.96 s.  ``logits`` (classes,).  ``joint`` (1, width): of length one.
    ``frames`` (frames, classes): probability of each class in each 0.08 s.

    Args:
        artifact: what the network was loaded from; None of an untrained one, of which only shapes are asked.
        network: in evaluation mode.
        classes: names of the classes, in the order of the logits.
        device: of torch.
        batch_size: sounds at a time.
    """

    name = "embedded"
    sample_rate = SAMPLE_RATE
    is_embedded = True

    def __init__(
        self,
        artifact: Artifact | None,
        network: EvaluatorNetwork,
        classes: Sequence[str],
        device: torch.device,
        batch_size: int = 32,
    ) -> None:
        self.artifact, self.classes = artifact, tuple(classes)
        made_from = [artifact.hash, artifact.weights_hash] if artifact else []
        self.identity = content_hash([_VERSION, *made_from])
        self._network, self._device, self._batch_size = network.to(device), device, batch_size

    def about(self) -> dict[str, Any]:
        """Return where it lies and how well it did on clips that it was not trained on."""
        assert self.artifact is not None  # of an untrained one nothing is recorded
        held_out = {
            name.removeprefix("validation/"): round(value, 4)
            for name, value in self.artifact.card.get("figures", {}).items()
            if name.startswith("validation/") and isinstance(value, int | float)
        }
        return {"folder": str(self.artifact.folder), "classes": len(self.classes), "held_out": held_out}

    @torch.inference_mode()
    def extract(self, waveforms: Sequence[np.ndarray]) -> list[Features]:
        """Return the features of each waveform (samples,); those of equal lengths are computed together.

        Raises:
            UserError: when a waveform is too short for one row.
        """
        require_length(waveforms, self._network.min_samples, self.sample_rate, self.name)
        return in_equal_lengths(self._hear, waveforms, self._batch_size)

    def _hear(self, waveforms: np.ndarray) -> list[Features]:
        batch = torch.from_numpy(waveforms).to(self._device)
        heard = self._network(log_mel(batch))
        parts = (heard.rows, heard.logits, heard.joint[:, None], heard.frames.sigmoid())
        names = ("embedding", "logits", "joint", "frames")
        sounds = zip(*(part.cpu().numpy() for part in parts), strict=True)
        return [dict(zip(names, arrays, strict=True)) for arrays in sounds]

    @torch.inference_mode()
    def embed_captions(self, captions: Sequence[str]) -> np.ndarray:
        """Return (captions, width), each row of length one; structured captions are the plain ones, as one event."""
        structured = [fallback_structure(caption) for caption in captions]
        tokens = self._network.text_encoder(list(captions), structured)
        return self._network.read(tokens.to(self._device)).cpu().numpy()
