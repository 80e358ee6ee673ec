"""Checkpoints of a running stage: one safetensors file a step, written atomically, damaged ones skipped.

A file holds every tensor of the objective's ``trained`` modules and of the optimizers, and as metadata the
format version, the step and the identity of the stage. There is no random state to keep (see reproducibility.py).
"""

import logging
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from audiolcm import processes
from audiolcm.errors import UserError
from audiolcm.tensors import save_tensors
from audiolcm.training.whole import load_whole, sharded_like, whole_in_first

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
KEPT = 2  # a damaged newest file must leave one to fall back on


def save_snapshot(folder: Path, step: int, product: nn.Module) -> None:
    """Keep the weights of ``product`` as they are after ``step`` steps, in ``<folder>/snapshots/step-<step>/``.

    Every process must call it: the first one writes. The finished stage makes an artifact of each (``artifacts``).
    """
    tensors = whole_in_first(product.state_dict())
    path = folder / f"snapshots/step-{step:08d}/model.safetensors"
    processes.first_decides(lambda: save_tensors(path, tensors))  # the others wait for it


class Checkpoints:
    """The checkpoint files of one stage in ``folder``."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity

    def save(self, step: int, trained: nn.Module, optimizers: dict[str, torch.optim.Optimizer]) -> Path:
        """Write the state after ``step`` steps and return the file; older files beyond the last two go.

        Every process must call it: the first one writes, whole tensors also of sharded networks, so that a run goes
        on with any number of processes.
        """
        tensors = {f"trained/{name}": tensor for name, tensor in trained.state_dict().items()}
        for part, optimizer in optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{part}/{index}/{name}": tensor for name, tensor in slots.items()}
        metadata = {"format": str(FORMAT_VERSION), "step": str(step), "identity": self.identity}
        path = self.folder / f"step-{step:08d}.safetensors"
        tensors = whole_in_first(tensors)

        def write() -> None:
            save_tensors(path, tensors, metadata)
            for old in self.files()[KEPT:]:
                old.unlink()

        processes.first_decides(write)  # the others wait for it
        return path

    def files(self) -> list[Path]:
        """Return the checkpoint files, newest first."""
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    def restore(self, trained: nn.Module, optimizers: dict[str, torch.optim.Optimizer]) -> int:
        """Load the newest whole checkpoint and return its step; 0 when there is none."""
        for path in self.files():
            try:
                tensors, metadata = _read(path)
            except SafetensorError as error:
                log.warning("%s is damaged (%s): using the checkpoint before it.", path, error)
                path.unlink()
                continue
            self._check(path, metadata)
            _load(tensors, trained, optimizers)
            return int(metadata["step"])
        return 0

    def _check(self, path: Path, metadata: dict[str, str]) -> None:
        if int(metadata.get("format", 0)) > FORMAT_VERSION:
            raise UserError(
                f"{path} has checkpoint format {metadata['format']}; this version reads up to {FORMAT_VERSION}. "
                "Upgrade audiolcm, or remove the folder to train anew."
            )
        if metadata.get("identity") != self.identity:
            raise UserError(
                f"{path} belongs to another configuration ({metadata.get('identity')}, not {self.identity}). "
                f"Remove the folder {path.parent} to train anew."
            )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _load(
    tensors: dict[str, Tensor], trained: nn.Module, optimizers: dict[str, torch.optim.Optimizer]
) -> None:
    groups: dict[str, dict[int, dict[str, Tensor]]] = {part: {} for part in optimizers}
    weights: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.startswith("trained/"):
            weights[name.removeprefix("trained/")] = tensor
        else:
            _, part, index, slot = name.split("/")
            groups[part].setdefault(int(index), {})[slot] = tensor
    load_whole(trained, weights)
    for part, optimizer in optimizers.items():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        slots = {
            index: {name: _placed(tensor, parameters[index]) for name, tensor in group.items()}
            for index, group in groups[part].items()
        }
        settings = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": slots, "param_groups": settings})


def _placed(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return an optimizer's tensor as its parameter lies; a count of steps has no shape and stays whole."""
    return sharded_like(tensor, parameter) if tensor.shape == parameter.shape else tensor
