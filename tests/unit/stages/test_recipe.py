"""What a recipe refuses before it trains, and where an artifact finds its data."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from released_file import Layout, random_state, save, small_layout

from audiolcm.configuration.schema import compose
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.objectives.consistency import ConsistencyDistillation
from audiolcm.published.untrained import placed
from audiolcm.stages.autoencoder import measure_scale
from audiolcm.stages.latents import new_denoiser
from audiolcm.stages.recipe import Recipe
from audiolcm.weights.artifacts import Artifact, Identity

TINY = [
    "trainer=smoke",
    "logger=jsonl",
    "dataset.num_train=4",
    "dataset.num_validation=2",
    "dataset.num_test=2",
]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("vocoder=bigvgan", r"vocoder\.model\.path"),
        ("text_encoder=clap_t5", r"text_encoder\.clap_checkpoint"),
        ("parents.vocoder=/nowhere", "/nowhere"),
    ],
)
def test_missing_weights_are_named_before_anything_trains(tmp_path: Path, choice: str, words: str) -> None:
    GlobalHydra.instance().clear()
    paths = [f"paths.{name}={tmp_path / name}" for name in ("artifacts", "cache", "runs")]
    recipe = Recipe(compose([choice, *TINY, *paths]))
    with pytest.raises(UserError, match=words):
        assert recipe.student
    assert not list(tmp_path.glob("artifacts/*/*/metrics.jsonl"))


def test_an_artifact_names_its_places_absolutely() -> None:
    cfg = {"paths": {"cache": "cache"}, "dataset": {"root": "../data", "duration": 5.0}, "seed": 0}
    kept = placed(cfg)
    assert kept["paths"] == {"cache": str(Path("cache").absolute())}
    assert kept["dataset"] == {"root": str(Path.cwd().parent / "data"), "duration": 5.0}
    assert cfg["dataset"]["root"] == "../data"
    assert placed(cfg | {"dataset": {"root": None}})["dataset"] == {"root": None}


def test_scaled_latents_have_unit_variance() -> None:
    """scale_factor = 1 / std of the modes of training mels; the released code takes samples."""
    torch.manual_seed(0)
    autoencoder, mels = Autoencoder(32, (1, 2), 1, 4), torch.randn(3, 80, 16) - 2.0
    measure_scale(autoencoder, mels)
    with torch.no_grad():
        latents = autoencoder.encode(mels).mode()
    assert abs(float(latents.std()) - 1.0) > 0.1
    assert float((latents * autoencoder.scale_factor).std()) == pytest.approx(1.0)


def test_a_student_starts_as_the_published_teacher_whatever_omega_is(
    released_layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the teacher inside AudioLCM's own file, which holds a projection of omega that was never used."""
    GlobalHydra.instance().clear()
    monkeypatch.setenv("AUDIOLCM_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = save(random_state(small_layout(released_layout)), tmp_path / "audiolcm.ckpt")
    paths = [f"paths.{name}={tmp_path / name}" for name in ("artifacts", "cache", "runs")]
    chosen = ["profile=paper", "teacher=published:audiolcm", f"parents.teacher={source}", "dataset=foley"]
    chosen += ["vocoder=griffin_lim", "model.width=64", "model.depth=2", "hardware=cpu_float32"]
    cfg = compose([*chosen, *TINY[1:], *paths])
    recipe = Recipe(cfg)
    recipe.text_encoder = SimpleNamespace(width=48)
    recipe.text_identity, recipe.unconditional = {}, torch.zeros(1, 8, 48)
    kept = recipe.teacher.load_weights(new_denoiser(recipe, recipe.cfg, recipe.autoencoder))
    assert kept.timestep_embedding.omega_projection.weight.any()
    made: list[ConsistencyDistillation] = []

    def make(
        identity: Identity, objective: Callable[[], ConsistencyDistillation], *_: object, **__: object
    ) -> Artifact:
        made.append(objective())
        return recipe.teacher

    monkeypatch.setattr(recipe.runner, "make", make)
    assert recipe.student
    (objective,) = made
    z, text, t = torch.randn(2, 20, 12), torch.randn(2, 8, 48), torch.tensor([19, 999])
    with torch.no_grad():
        expected = kept(z, t, text)
        for who in ("student", "target"):
            for omega in (4.0, 12.0):
                found = objective.trained[who](z, t, text, torch.full((2,), omega))
                torch.testing.assert_close(found, expected, rtol=0, atol=0)
