"""What can be refused of later stages before the first of them trains: objectives, optimizers, places to write."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.build import build
from audiolcm.errors import UserError
from audiolcm.stages.ingredients import of_teacher
from audiolcm.stages.recipe import Recipe
from audiolcm.stages.vocoder import NO_SOUND
from audiolcm.storage.files import require_writable
from audiolcm.training.micro_batches import check_pieces, piece_of

_WIDTH = 8  # of text and latents, which here are empty


def foresee(recipe: Recipe) -> None:
    """Refuse what a later stage of a recipe would refuse after hours of its parents' training.

    Everything is built without content and thrown away; nothing is drawn from torch's generator, trained or fetched.

    Raises:
        UserError: as the stage itself would.
    """
    for name in ("artifacts", "cache"):
        require_writable(Path(recipe.cfg["paths"][name]), f"paths.{name}=FOLDER")
    recipe.runner.hardware.torch_device()
    stages = recipe.trained_stages()
    with torch.random.fork_rng(devices=[]):
        for stage in stages:
            _foresee_optimizer(recipe, stage)
        if {"autoencoder", "vocoder"} & set(stages):
            _foresee_sound(recipe, stages)
        if "teacher" in stages:
            _ = recipe.trained_text_encoder
        if {"teacher", "student"} & set(stages):
            _foresee_denoisers(recipe)


def _foresee_optimizer(recipe: Recipe, stage: str) -> None:
    optimizer = build(recipe.runner.optimizer(stage), "optimizer")
    try:
        optimizer.make([torch.nn.Parameter(torch.zeros(1))])
    except ValueError as error:
        raise UserError(f"optimizer of the {stage}: {error}.") from error


def _foresee_sound(recipe: Recipe, stages: list[str]) -> None:
    cfg = recipe.cfg
    with _without_content():
        autoencoder = build(cfg["autoencoder"]["model"], "autoencoder.model")
        if "autoencoder" in stages:
            objective = build(cfg["autoencoder"]["objective"], "autoencoder.objective", model=autoencoder)
            check_pieces(recipe.runner.settings["autoencoder"], "autoencoder", piece_of(objective))
        if "vocoder" in stages:
            if cfg["dataset"].get("mels"):
                raise UserError(NO_SOUND)
            with torch.device("cpu"):  # they compute their filters, or read files
                vocoder = build(cfg["vocoder"]["model"], "vocoder.model")
            build(cfg["vocoder"]["objective"], "vocoder.objective", model=vocoder, autoencoder=autoencoder)


def _foresee_denoisers(recipe: Recipe) -> None:
    with _without_content():
        nothing = torch.zeros(1, 1, _WIDTH)
        teacher = build_denoiser(of_teacher(recipe.cfg), _WIDTH, _WIDTH)
        recipe.method.noise_prediction(teacher, nothing)
        recipe.method.distillation(teacher, nothing, build_denoiser(recipe.cfg, _WIDTH, _WIDTH))


@contextlib.contextmanager
def _without_content() -> Iterator[None]:
    """Build on the meta device; a class that needs numbers there is built, and refused, when its stage begins."""
    try:
        with torch.device("meta"):
            yield
    except UserError as error:
        if not isinstance(error.__cause__, RuntimeError):  # torch's, of numbers that are not there
            raise
    except RuntimeError:
        pass
