"""What a recipe refuses before it trains, and where an artifact finds its data."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from audiolcm.config import compose
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.recipe import Recipe
from audiolcm.workshop import placed

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
    """scale_factor = 1 / std of training latents, as in the released code."""
    torch.manual_seed(0)
    autoencoder, mels = Autoencoder(32, (1, 2), 1, 4), torch.randn(3, 80, 16) - 2.0
    Recipe._measure_scale(SimpleNamespace(_spread_mels=lambda: mels), autoencoder)
    with torch.no_grad():
        latents = autoencoder.encode(mels).mode()
    assert abs(float(latents.std()) - 1.0) > 0.1
    assert float((latents * autoencoder.scale_factor).std()) == pytest.approx(1.0)
