"""Artifacts: the folder that a finished stage leaves, found again by what it was made from.

``<root>/<stage>/<name>-<hash>/`` holds ``model.safetensors``, ``config.yaml`` (resolved), ``metrics.jsonl`` and
``card.json``. The hash covers everything that can change the weights: configuration, data and parents. The card is
written last: a folder without one is unfinished, and is never taken for whole.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from audiolcm.errors import UserError
from audiolcm.storage.files import atomic_path
from audiolcm.storage.hashing import HASH_LENGTH, code_version, content_hash
from audiolcm.storage.leases import exclusive
from audiolcm.storage.tensors import save_tensors
from audiolcm.weights.card import CARD, CONFIG, WEIGHTS, check_files, check_weights, read_card, write_card
from audiolcm.weights.place import FOLEY, folder_of, is_embedded
from audiolcm.weights.reading import misfits, shapes

log = logging.getLogger(__name__)

Network = TypeVar("Network", bound=nn.Module)

_MAKE_AGAIN = "Run `python train.py` to make it again."
_NO_PARENT = {
    "vocoder": "Give one by --vocoder FOLDER (evaluate.py: system.vocoder=FOLDER, or system.model.vocoder=FOLDER for "
    "reconstructions), or convert the published weights again with one: audiolcm convert SOURCE -o DIR --vocoder FOLDER"
}


def tensors_identity(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    """Return what stands for tensors in an identity: a hash of names and bytes; nothing for no tensors."""
    if not tensors:
        return {}
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        # pyrefly: ignore[bad-argument-type]  (numpy 1.26 declares __buffer__ from Python 3.12 on)
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return {"weights": digest.hexdigest()[:HASH_LENGTH]}


@dataclass(frozen=True)
class Identity:
    """What a stage is made from. ``content`` is JSON: configuration, data fingerprint, parents' hashes."""

    stage: str
    name: str
    content: dict[str, object] = field(hash=False)

    @property
    def hash(self) -> str:
        """Return ten hexadecimal digits of SHA-256 over stage and content."""
        return content_hash([self.stage, self.content])


@dataclass(frozen=True)
class Artifact:
    """A finished artifact on disk."""

    folder: Path
    card: dict[str, Any]

    @property
    def hash(self) -> str:
        """Return the identity's hash."""
        return str(self.card["hash"])

    @property
    def weights_hash(self) -> str:
        """Return the hash of the weights themselves; the same recipe run elsewhere may give other ones."""
        return str(self.card["weights_hash"])

    @property
    def millions(self) -> str:
        """Return the number of parameters for people; a card of other people's may not say it."""
        return f"{self.card['num_parameters'] / 1e6:.2f} M" if "num_parameters" in self.card else "-"

    @property
    def seconds(self) -> str:
        """Return how long the training took, for people; "-" where there was none here."""
        return f"{self.card['training_seconds']} s" if "training_seconds" in self.card else "-"

    def parent(self, stage: str) -> "Artifact":
        """Return the artifact that the card names as this one's ``stage``."""
        if not self.has_parent(stage):
            raise UserError(f"{self.folder}/card.json names no {stage}. {_NO_PARENT.get(stage, _MAKE_AGAIN)}")
        recorded = str(self.card["parents"][stage])
        place = recorded if is_embedded(recorded) else os.path.normpath(self.folder / recorded)
        return open_artifact(Path(place), stage)

    def has_parent(self, stage: str) -> bool:
        """Return whether the card names an artifact as this one's ``stage``."""
        return stage in self.card.get("parents", {})

    def weights_file(self) -> Path:
        """Return the path of ``model.safetensors``, after comparing its content with the card.

        Raises:
            UserError: when it is not the one that the card tells of, or is not there.
        """
        return check_weights(self.folder, self.card)

    def config_file(self) -> Path:
        """Return the path of ``config.yaml``, after comparing it, and tokenizers in the folder, with the card.

        Raises:
            UserError: when one of them is not the one that the card tells of, or is not there.
        """
        check_files(self.folder, self.card)
        return self.folder / CONFIG

    def load_weights(self, model: Network) -> Network:
        """Load ``model.safetensors`` strictly into ``model``, in evaluation mode, and return it.

        Weights in half precision (``audiolcm export --half``) become those of the model's own.

        Raises:
            UserError: when the file is not the one that the card tells of, or is of another architecture.
        """
        path = self.weights_file()
        try:
            weights = load_file(path)
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{path} cannot be read ({error}). Remove the folder {self.folder} and train again."
            ) from error
        own = model.state_dict()
        if problems := misfits(shapes(own), shapes(weights)):
            raise UserError(
                f"{path} holds another architecture than the configuration asks for: {problems}. "
                "Use the settings in the config.yaml beside it, or train again."
            )
        for name, tensor in weights.items():
            if tensor.dtype == torch.float16:
                weights[name] = tensor.to(own[name].dtype)
        model.load_state_dict(weights, assign=True)  # the tensors of the file, not a copy of them
        return model.eval()


class ArtifactStore:
    """All artifacts below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, identity: Identity) -> Path:
        """Return where the artifact of this identity lives, finished or not."""
        return self.root / identity.stage / f"{identity.name}-{identity.hash}"

    def find(self, identity: Identity) -> Artifact | None:
        """Return the finished artifact, or None."""
        folder = self.folder(identity)
        return open_artifact(folder) if (folder / CARD).exists() else None

    def lock(self, identity: Identity) -> AbstractContextManager[None]:
        """Hold the artifact's folder, so that one of many jobs trains it and the others wait."""
        return exclusive(self.folder(identity))

    def finish(
        self, identity: Identity, model: nn.Module, config_yaml: str, facts: dict[str, Any]
    ) -> Artifact:
        """Write weights, configuration and, last, the card; then drop the checkpoints of the training."""
        facts = {"num_parameters": sum(p.numel() for p in model.parameters())} | facts
        return self.write(identity, model.state_dict(), config_yaml, facts)

    def write(
        self, identity: Identity, tensors: dict[str, Tensor], config_yaml: str, facts: dict[str, Any]
    ) -> Artifact:
        """Write weights given by name; see ``finish``. Snapshots that the training left become artifacts too."""
        folder = self.folder(identity)
        save_tensors(folder / WEIGHTS, tensors)
        parents = dict(facts.get("parents", {}))
        for place in sorted(folder.glob("snapshots/step-*")):
            step = int(place.name.removeprefix("step-"))
            moved = {stage: path if is_embedded(path) else f"../../{path}" for stage, path in parents.items()}
            own = Identity(identity.stage, identity.name, identity.content | {"snapshot": step})
            _complete(place, own, config_yaml, facts | {"parents": moved, "step": step})
        card = _complete(folder, identity, config_yaml, facts)
        for checkpoint in (folder / "checkpoints").glob("step-*.safetensors"):
            if not checkpoint.is_dir():  # which is none of ours
                checkpoint.unlink()
        return Artifact(folder, card)


def _complete(folder: Path, identity: Identity, config_yaml: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Write configuration and, last, the card beside weights that are there; return the card."""
    with atomic_path(folder / CONFIG) as temporary:
        temporary.write_text(config_yaml, encoding="utf-8")
    card = {
        "stage": identity.stage,
        "name": identity.name,
        "hash": identity.hash,
        "made_from": identity.content,
        "code": code_version(),
    }
    return write_card(folder, card | facts)


def trained_steps(artifact: Artifact) -> int | None:
    """Return how many steps an artifact was trained; None where that is not known, as of released weights."""
    trainer = artifact.card.get("made_from", {}).get("trainer", {})
    return artifact.card.get("step", trainer.get("steps"))


def snapshot_steps(artifact: Artifact) -> list[int]:
    """Return after which steps of an artifact's training its network was kept too, ascending."""
    names = (path.parent.name for path in artifact.folder.glob(f"snapshots/step-*/{CARD}"))
    return sorted(int(name.removeprefix("step-")) for name in names)


def open_snapshot(artifact: Artifact, step: int) -> Artifact:
    """Return the network of an artifact as it was after ``step`` steps of its training; the last is its own.

    Raises:
        UserError: it was not kept; the message names those that were.
    """
    if step == trained_steps(artifact):
        return artifact
    folder = artifact.folder / "snapshots" / f"step-{step:08d}"
    if not (folder / CARD).exists():
        steps = [str(kept) for kept in snapshot_steps(artifact)]
        last = trained_steps(artifact)
        if last is None or not 0 < step < last:
            raise UserError(
                f"{artifact.folder} has no network of step {step}: it was trained for {last or 'unknown'} steps."
            )
        raise UserError(
            f"{artifact.folder} kept no network of step {step}; it has {', '.join(steps) or 'none'}. Snapshots are "
            f"written while a stage trains: remove the folder and train it again with trainer.{artifact.card['stage']}"
            f".snapshots=[{','.join([*steps, str(step)])}]."
        )
    return open_artifact(folder)


def open_artifact(folder: Path, stage: str | None = None) -> Artifact:
    """Return the finished artifact in ``folder``, which may be the name of one of the package, ``embedded:foley``.

    Raises:
        UserError: when there is none, when it is unfinished, of another stage or of a newer format.
    """
    folder = folder_of(folder)
    if not (folder / CARD).exists():
        state = "an unfinished training" if (folder / "checkpoints").exists() else "no artifact"
        raise UserError(
            f"{folder} holds {state} (no card.json). Give the folder of a finished artifact, such as "
            f"artifacts/student/<name>-<hash>, or train it: `{_command_for(folder)}`."
        )
    card = read_card(folder)
    if stage is not None and card["stage"] != stage:
        raise UserError(
            f"{folder} is an artifact of the stage {card['stage']}, not {stage}: give a folder of {stage}s."
        )
    return Artifact(folder, card)


def _command_for(folder: Path) -> str:
    """Return what trains the model that was looked for; the run folder of a table's row tells by its path."""
    if folder.parent.name != "train":
        return "python train.py"
    item = folder.parents[1]
    return f"python train.py +experiment={item.name} profile={item.parent.name} row={folder.name}"


def newest(root: Path, stage: str) -> Artifact:
    """Return the newest finished artifact of a stage below ``root``."""
    cards = sorted((root / stage).glob("*/card.json"), key=lambda path: path.stat().st_mtime)
    if not cards:
        raise UserError(
            f"There is no finished {stage} in {root / stage}. Run `python train.py` first, or take the package's own: "
            f"checkpoint={FOLEY} (audiolcm: --checkpoint {FOLEY}). If released weights were converted into it, convert "
            "them again."
        )
    return open_artifact(cards[-1].parent)
