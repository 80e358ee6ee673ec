"""Checkpoints of a running stage: one safetensors file a step, written atomically, damaged ones put aside.

A file holds every tensor of the objective's ``trained`` modules and of the optimizers, and as metadata the
format version, the step, the identity of the stage and a hash of the whole file (see
``audiolcm.storage.tensors``). There is no random state to keep (see reproducibility.py).
"""

import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from audiolcm.distributed import processes
from audiolcm.distributed.sharded import gathered_in_first, load_gathered, sharded_like
from audiolcm.errors import UserError
from audiolcm.storage.files import explained
from audiolcm.storage.tensors import UNSEALED, check_seal, save_tensors
from audiolcm.weights.reading import misfits, shapes

log = logging.getLogger(__name__)

FORMAT_VERSION = 2
"""1: without a hash. Later formats must keep the seal of ``audiolcm.storage.tensors``, which is looked at first."""
KEPT = 2  # a damaged newest file must leave one to fall back on

Optimizers = dict[str, torch.optim.Optimizer]
Slots = dict[str, dict[int, dict[str, Tensor]]]
"""Tensors of the optimizers: part -> number of the parameter -> name -> tensor."""


def save_snapshot(folder: Path, step: int, product: nn.Module) -> None:
    """Keep the weights of ``product`` as they are after ``step`` steps, in ``<folder>/snapshots/step-<step>/``.

    Every process must call it: the first one writes. The finished stage makes an artifact of each (``artifacts``).
    """
    tensors = gathered_in_first(product.state_dict())
    path = folder / f"snapshots/step-{step:08d}/model.safetensors"
    processes.first_decides(lambda: save_tensors(path, tensors, UNSEALED))  # the others wait for it


def check_snapshots(folder: Path) -> None:
    """Refuse to make artifacts of snapshots that were changed since they were written.

    Raises:
        UserError: naming the first.
    """
    for path in sorted(folder.glob("snapshots/step-*/model.safetensors")):
        try:
            check_seal(path)
            with safe_open(path, framework="pt"):
                pass  # its header is that of tensors
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(
                f"{path} is damaged ({error}), and cannot be made again without training from the start. Remove "
                f"{path.parent} to go without this snapshot, or {folder} to train from the start, then type the same "
                "command."
            ) from error


class Checkpoints:
    """The checkpoint files of one stage in ``folder``."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder = folder
        self.identity = identity

    def save(self, step: int, trained: nn.Module, optimizers: Optimizers) -> Path:
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
        tensors = gathered_in_first(tensors)

        def write() -> None:
            save_tensors(path, tensors, metadata | UNSEALED)
            for old in self.files()[KEPT:]:
                if not old.is_dir():  # which is none of ours
                    old.unlink()

        processes.first_decides(write)  # the others wait for it
        return path

    def files(self) -> list[Path]:
        """Return the checkpoint files, newest first."""
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    def restore(self, trained: nn.Module, optimizers: Optimizers) -> int:
        """Load the newest whole checkpoint and return its step; 0 when there is none.

        One that is damaged or no file at all is put aside under another name, and a message says so.

        Raises:
            UserError: on one of another configuration or of another version.
        """
        for path in self.files():
            try:
                step, weights, slots = self._read(path, trained, optimizers)
            except (SafetensorError, OSError, ValueError) as error:
                self._put_aside(path, error)
                continue
            _load(weights, slots, trained, optimizers)
            return step
        return 0

    def _put_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_name(f"damaged-{path.name}")
        try:
            if aside.is_dir():  # of an earlier damage
                aside = path.with_name(f"damaged-{os.urandom(4).hex()}-{path.name}")
            path.rename(aside)
        except OSError as refused:
            raise explained(refused, path) or refused from refused
        before = self.files()
        log.warning(
            "%s is damaged (%s) and was put aside as %s, which you may remove. The training goes on from %s.",
            path, error, aside.name, f"the checkpoint before it, {before[0].name}" if before else "its start",
        )  # fmt: skip

    def _read(
        self, path: Path, trained: nn.Module, optimizers: Optimizers
    ) -> tuple[int, dict[str, Tensor], Slots]:
        """Return what a checkpoint holds: its step, weights and optimizers' tensors; nothing is loaded yet.

        Raises:
            SafetensorError, OSError, ValueError: it is damaged.
            UserError: it is whole, but of another configuration or of another version.
        """
        is_sealed = check_seal(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            self._check(path, metadata, is_sealed)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if f"step-{int(metadata.get('step', -1)):08d}" != path.stem:
            raise ValueError("its name and its content disagree on the step")
        weights, slots = _told_apart(tensors)
        if problems := misfits(shapes(trained.state_dict()), shapes(weights)):
            if is_sealed:
                raise UserError(
                    f"{path} holds another network than this version makes of the configuration: {problems}. Go on "
                    f"with the version that wrote it, or remove the folder {path.parent} to train from the start."
                )
            raise ValueError(f"it does not fit the network: {problems}")
        for part, found in () if is_sealed else slots.items():
            _check_slots(part, found, optimizers)
        return int(metadata["step"]), weights, slots

    def _check(self, path: Path, metadata: dict[str, str], is_sealed: bool) -> None:
        version = int(metadata.get("format", 0))
        if version > FORMAT_VERSION:
            raise UserError(
                f"{path} has checkpoint format {version}; this version reads up to {FORMAT_VERSION}. "
                "Upgrade audiolcm, or remove the folder to train from the start."
            )
        if (version > 1 and not is_sealed) or "identity" not in metadata:
            raise ValueError("its hash or its identity is missing")
        if metadata["identity"] != self.identity:
            raise UserError(
                f"{path} belongs to another configuration ({metadata['identity']}, not {self.identity}). "
                f"Remove the folder {path.parent} to train from the start."
            )


def _told_apart(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], Slots]:
    """Return the weights, and the optimizers' tensors; ValueError on a name that is of neither."""
    weights: dict[str, Tensor] = {}
    slots: Slots = {}
    for name, tensor in tensors.items():
        if name.startswith("trained/"):
            weights[name.removeprefix("trained/")] = tensor
            continue
        kind, part, index, slot = name.split("/")
        if kind != "optimizer":
            raise ValueError(f"it has an unknown tensor {name}")
        slots.setdefault(part, {}).setdefault(int(index), {})[slot] = tensor
    return weights, slots


def _check_slots(part: str, found: dict[int, dict[str, Tensor]], optimizers: Optimizers) -> None:
    """Refuse an optimizer's tensors that cannot be of these parameters, as a checkpoint without a hash may have."""
    if part not in optimizers:
        raise ValueError(f"it has an unknown optimizer {part}")
    sizes = [p.shape for group in optimizers[part].param_groups for p in group["params"]]
    names = next(iter(found.values())).keys()
    for index, slots in found.items():
        fits = 0 <= index < len(sizes) and slots.keys() == names
        if not fits or any(tensor.shape not in (sizes[index], ()) for tensor in slots.values()):
            raise ValueError(f"its optimizer {part} is of other parameters")


@torch.no_grad()
def _load(weights: dict[str, Tensor], slots: Slots, trained: nn.Module, optimizers: Optimizers) -> None:
    load_gathered(trained, weights)
    for part, optimizer in optimizers.items():
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        placed = {
            index: {name: _placed(tensor, parameters[index]) for name, tensor in group.items()}
            for index, group in slots.get(part, {}).items()
        }
        settings = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": placed, "param_groups": settings})


def _placed(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return an optimizer's tensor as its parameter lies; a count of steps has no shape and stays whole.

    A fused optimizer goes through both as they lie in memory, so the order of the dimensions there must be the same.
    """
    if tensor.shape != parameter.shape:
        return tensor
    placed = sharded_like(tensor, parameter)
    return torch.empty_like(parameter).copy_(placed)
