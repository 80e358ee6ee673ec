"""Runs a package's public class, as a process of its own: python worker.py REQUEST.json ANSWER.json.

Importing the packages changes Python's path and reads tokenizers, their classes print, torch.hub is set for the whole
process, and a fault of theirs shall end no evaluation.
"""

import contextlib
import io
import json
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_HUB_SECONDS = 10.0  # torch.hub asks github for the name of a branch, which needs no answer
_FAULT = "[Frechet Audio Distance]"  # what its class prints before it goes on without a sound, or returns -1
_BATCH = 8


def frechet(request: Mapping[str, Any]) -> list[float]:
    """Return ``FrechetAudioDistance.score`` of each generated folder against the background folder."""
    from frechet_audio_distance import FrechetAudioDistance

    theirs = FrechetAudioDistance(**request["arguments"])
    return [_scored(theirs, request, folder) for folder in request["generated"]]


def _scored(theirs: Any, request: Mapping[str, Any], folder: str) -> float:
    kept = [f"{folder}-embeddings/{side}.npy" for side in ("references", "generated")]
    value, faults = _called(theirs, request["background"], folder, *kept)
    if width := request["width"]:
        # 0.3.4 joins the vectors of PANNs end to end into one and fails on it; as rows, its class reads them again.
        lost = [fault for fault in faults if "get_embeddings" in fault]
        for path in kept:
            np.save(path, np.load(path).reshape(-1, width))
        value, faults = _called(theirs, request["background"], folder, *kept)
        faults = lost + faults
    if faults or value == -1:  # also where it left sounds out
        raise RuntimeError("; ".join(faults) or "it returned -1")
    return value


def _called(theirs: Any, *arguments: str) -> tuple[float, list[str]]:
    """Return its score, and what it printed instead of raising."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        value = float(theirs.score(*arguments))
    return value, [line for line in said.getvalue().splitlines() if line.startswith(_FAULT)]


def clap(request: Mapping[str, Any]) -> list[float]:
    """Return the mean cosine of sounds and captions by ``CLAP_Module``, one for each list of files."""
    import laion_clap
    import torch

    np.random.seed(0)  # it hears a random part of a sound over 10 s
    theirs = laion_clap.CLAP_Module(**request["arguments"])
    theirs.load_ckpt(request["checkpoint"], verbose=False)
    with torch.no_grad():
        captions = _in_batches(theirs.get_text_embedding, request["captions"])
        sounds = [_in_batches(theirs.get_audio_embedding_from_filelist, paths) for paths in request["sounds"]]
    cosines = [(rows * captions).sum(1) for rows in sounds]
    return [float(np.mean(values.clip(min=0) if request["clamp"] else values)) for values in cosines]


def _in_batches(embed: Callable[[list[str]], np.ndarray], items: list[str]) -> np.ndarray:
    """Return rows of length one in float64."""
    rows = np.concatenate([embed(items[i : i + _BATCH]) for i in range(0, len(items), _BATCH)]).astype(float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


KINDS = {"frechet": frechet, "clap": clap}


def main(request_path: str, answer_path: str) -> None:
    """Write the figures of a request, or what kept the package from giving them."""
    socket.setdefaulttimeout(_HUB_SECONDS)
    request = json.loads(Path(request_path).read_text())
    try:
        answer = {"values": KINDS[request["kind"]](request)}
    except Exception as error:  # noqa: BLE001 (whatever their code raises is the answer)
        answer = {"problem": f"{type(error).__name__}: {error}", "is_import": isinstance(error, ImportError)}
    Path(answer_path).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
