"""A teacher that is trained on from another one's weights: when, from what, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.objectives.diffusion import DiffusionObjective
from audiolcm.published.models import open_model
from audiolcm.stages.latents import new_denoiser
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import Artifact, Identity
from audiolcm.weights.place import FOLEY

ESC = ["dataset=esc10", "dataset.root=x"]
SMALL = ["logger=jsonl", "dataset.num_train=4", "dataset.num_validation=2", "dataset.num_test=2"]


def recipe(folder: Path, *words: str) -> Recipe:
    places = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    return Recipe(compose([*SMALL, *places, *words]))


@pytest.mark.parametrize(
    "words",
    [[], ["stage=teacher"], ["stage=data"], ["trainer.teacher.steps=3"], ["trainer.student.steps=3"], ["seed=2"],
     ["objective.diffusion.caption_dropout=0.2"], ["optimizer.weight_decay=0"], ["dataset.duration=2.56"]],
)  # fmt: skip
def test_on_recordings_a_teacher_starts_from_the_embedded_one(words: list[str]) -> None:
    cfg = compose([*ESC, *words])
    assert (cfg["parents"]["teacher"], cfg["teacher"]["initial"]) == (None, FOLEY)


@pytest.mark.parametrize(
    "words",
    [["dataset=foley"], ["dataset=foley_music"], [*ESC, "teacher=scratch"], [*ESC, "model=tiny_base"],
     [*ESC, "model=tiny"], [*ESC, "backbone/position=learned"], [*ESC, "trainer=smoke"],
     [*ESC, "trainer.autoencoder.steps=2"], [*ESC, "stage=autoencoder"],
     [*ESC, "parents.autoencoder=x"], [*ESC, "parents.teacher=x"],
     [*ESC, "text_encoder.width=64"], [*ESC, "schedule.beta_end=0.01"], [*ESC, "autoencoder.objective.kl_weight=0.1"],
     ["profile=paper", "dataset=esc10", "dataset.root=x", "vocoder.model.path=y"]],
)  # fmt: skip
def test_and_from_nothing_where_it_would_be_another_network_or_is_asked_to(words: list[str]) -> None:
    assert compose(words)["teacher"]["initial"] is None


def test_its_weights_autoencoder_and_identity_are_those_of_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, from_scratch = recipe(tmp_path, f"teacher.initial={FOLEY}"), recipe(tmp_path, "teacher=scratch")
    assert "autoencoder" not in started.trained_stages()
    assert started.autoencoder.hash == open_model(FOLEY, "teacher").parent("autoencoder").hash
    made: list[tuple[Identity, DiffusionObjective]] = []

    def make(
        identity: Identity, objective: Callable[[], DiffusionObjective], *_: object, **__: object
    ) -> Artifact:
        made.append((identity, objective()))
        return open_model(FOLEY, "teacher")

    monkeypatch.setattr(started.runner, "make", make)
    assert started.teacher
    ((identity, objective),) = made
    known = (
        open_model(FOLEY, "teacher")
        .load_weights(new_denoiser(started, started.cfg, started.autoencoder))
        .state_dict()
    )
    for network in (objective.trained["model"], objective.product()):
        torch.testing.assert_close(dict(network.state_dict()), dict(known), rtol=0, atol=0)
    assert identity.content["parents"]["initial"] == open_model(FOLEY, "teacher").hash
    assert "autoencoder" in from_scratch.trained_stages()


def test_a_start_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="teacher.initial=.* was trained with another model"):
        assert recipe(tmp_path, f"teacher.initial={FOLEY}", "model.width=64").teacher


def test_a_start_has_its_own_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="leave out parents.autoencoder"):
        recipe(tmp_path, f"teacher.initial={FOLEY}", f"parents.autoencoder={tmp_path}")


@pytest.mark.parametrize(
    ("place", "said"), [("", "names no folder"), ("3", "typed teacher.initial=./3"), ("/nowhere", "/nowhere")]
)
def test_a_start_that_is_none_is_refused(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        recipe(tmp_path, f"teacher.initial={place}")
