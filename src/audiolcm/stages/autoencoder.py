"""The first stage: mels to latents and back."""

from collections.abc import Callable

import torch
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import load_yaml
from audiolcm.data.loading.dataset import MelClips
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.objectives.objective import Objective
from audiolcm.stages.ingredients import Ingredients
from audiolcm.training.stage_runner import Data
from audiolcm.types import Mel
from audiolcm.weights.artifacts import Artifact


def autoencoder(ingredients: Ingredients, before_training: Callable[[], object]) -> Artifact:
    """Return the autoencoder, with its ``scale_factor`` measured on the training latents.

    Args:
        ingredients: what it is made of.
        before_training: called before it is trained, and only then.
    """
    if given := ingredients.runner.given("autoencoder"):
        return given
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


def load_autoencoder(artifact: Artifact, device: torch.device) -> Autoencoder:
    """Return a trained autoencoder on a device."""
    cfg = load_yaml(artifact.config_file())["autoencoder"]["model"]
    return artifact.load_weights(build(cfg, "autoencoder.model")).to(device)
