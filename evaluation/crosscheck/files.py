"""The folders that the packages read from, in the layout that they look for: sounds, checkpoints, the hub's cache.

Checkpoints are read here by our own reader, which runs no code of theirs, and saved again: laion-clap unpickles.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import save_file
from transformers import RobertaConfig

from audiolcm.weights.reading import read_checkpoint
from evaluation.features.laion import ROBERTA_BASE, network_weights

_TEXT_HALF = "text_branch."
_POSITION_IDS = "text_branch.embeddings.position_ids"  # load_ckpt deletes it and fails where it is not there
_COMMIT = "0" * 40
_TOKENIZER_FILES = ("*.json", "merges.txt")


def link_sounds(folder: Path, paths: Sequence[Path]) -> str:
    """Make a folder with exactly these files in it, as links in their order, and return its name."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / f"{number:06d}{path.suffix}").symlink_to(path.absolute())
    return str(folder)


def save_panns(folder: Path, name: str, weights: Path) -> None:
    """Save PANNs' weights under the name that frechet-audio-distance looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": dict(read_checkpoint(weights)["model"])}, folder / name)


def save_laion(folder: Path, name: str, weights: Path, arguments: dict[str, Any]) -> None:
    """Save a checkpoint of LAION's CLAP as ``name``, and in ``folder/huggingface`` the roberta-base that it needs.

    The hub's RoBERTa gives the class only its sizes: all of its weights come from the checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = network_weights(weights)
    sizes: dict[str, Any] = ROBERTA_BASE | dict(arguments["text_sizes"] or {})
    config = RobertaConfig(**sizes)
    positions = {_POSITION_IDS: torch.arange(config.max_position_embeddings)[None]}
    torch.save({f"module.{key}": tensor for key, tensor in (state | positions).items()}, folder / name)
    repository = folder / "huggingface/hub/models--roberta-base"
    snapshot = repository / "snapshots" / _COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(_COMMIT)
    for pattern in _TOKENIZER_FILES:
        for file in _tokenizer_folder(arguments["tokenizer"]).glob(pattern):
            (snapshot / file.name).symlink_to(file.resolve())
    (snapshot / "config.json").unlink(missing_ok=True)
    config.save_pretrained(snapshot)
    text = {key.removeprefix(_TEXT_HALF): w for key, w in state.items() if key.startswith(_TEXT_HALF)}
    save_file(
        {key: tensor.contiguous() for key, tensor in text.items()},
        snapshot / "model.safetensors",
        {"format": "pt"},
    )


def _tokenizer_folder(source: str) -> Path:
    """Return the folder of a tokenizer that our own network has read before."""
    return Path(source) if Path(source).is_dir() else Path(snapshot_download(source, local_files_only=True))
