"""The first stage: mels to latents and back."""

import logging
from collections.abc import Callable

import torch
from safetensors import safe_open
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml
from audiolcm.data.loading.dataset import MelClips
from audiolcm.distributed import processes
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.objectives.objective import Objective
from audiolcm.published.models import open_part
from audiolcm.stages.ingredients import Ingredients
from audiolcm.training.stage_runner import Data
from audiolcm.types import Mel
from audiolcm.weights.artifacts import Artifact, Identity

log = logging.getLogger(__name__)

SCALE, UNMEASURED = "scale_factor", 1.0


def autoencoder(ingredients: Ingredients, before_training: Callable[[], object]) -> Artifact:
    """Return the autoencoder, with its ``scale_factor`` measured on the training latents.

    Args:
        ingredients: what it is made of.
        before_training: called before it is trained, and only then.
    """
    if place := ingredients.cfg["parents"]["autoencoder"]:
        given = processes.first_then_others(lambda: open_part(place, "autoencoder"))
        return (
            given
            if _is_measured(given)
            else processes.first_then_others(lambda: _measured(ingredients, given))
        )
    if ingredients.known:
        return ingredients.known.artifact.parent("autoencoder")  # the one whose latents the teacher knows
    cfg = ingredients.cfg["autoencoder"]

    def objective() -> Objective:
        before_training()
        model = build(cfg["model"], "autoencoder.model")
        model.start_from(ingredients.spread_mels())
        return build(cfg["objective"], "autoencoder.objective", model=model)

    def data() -> Data:
        frames = ingredients.crop_frames("autoencoder")
        return ingredients.training_and_validation(lambda split: MelClips(split, frames))

    identity = ingredients.identity("autoencoder", "", {}, {"autoencoder": cfg})
    return ingredients.runner.make(
        identity, objective, data, {}, lambda model: measure_scale(model, ingredients.spread_mels())
    )


@torch.no_grad()
def measure_scale(model: nn.Module, mel: Mel) -> None:
    """Set ``scale_factor`` to 1 / std of the modes of training mels; the released code draws samples, of a batch."""
    # pyrefly: ignore[no-matching-overload]  (torch types a module's attributes as Tensor | Module)
    mel = mel.to(model.scale_factor.device)
    # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
    model.scale_factor.fill_(1.0 / float(model.encode(mel).mode().std()))


def _is_measured(artifact: Artifact) -> bool:
    """Return whether an autoencoder knows the scale of its latents: in a file of it alone there is none."""
    with safe_open(artifact.weights_file(), "pt") as weights:
        return SCALE not in weights.keys() or float(weights.get_tensor(SCALE)) != UNMEASURED  # noqa: SIM118


def _measured(ingredients: Ingredients, artifact: Artifact) -> Artifact:
    """Return an autoencoder with its ``scale_factor`` measured on the training latents of this data, once."""
    store, data = ingredients.runner.store, ingredients.data
    content = {"autoencoder": artifact.hash, "seed": ingredients.cfg["seed"], "data": data.fingerprint}
    content["crop_frames"] = ingredients.crop_frames("autoencoder")
    identity = Identity("autoencoder", f"{data.name}-{artifact.card['name']}", content)
    with store.lock(identity):
        if found := store.find(identity):
            return found
        model = load_autoencoder(artifact, ingredients.runner.hardware.torch_device())
        measure_scale(model, ingredients.spread_mels())
        log.info("autoencoder: scale_factor measured on %s: %g", data.name, float(model.scale_factor))
        facts = {"derived_from": [artifact.card["origin"]]} if "origin" in artifact.card else {}
        return store.finish(identity, model, artifact.config_file().read_text(encoding="utf-8"), facts)


def load_autoencoder(artifact: Artifact, device: torch.device) -> Autoencoder:
    """Return a trained autoencoder on a device."""
    cfg = load_yaml(artifact.config_file())["autoencoder"]["model"]
    return artifact.load_weights(build(cfg, "autoencoder.model")).to(device)
