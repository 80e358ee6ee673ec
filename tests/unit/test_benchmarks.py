"""Every benchmarked objective can be built and takes a step of its benchmark's batch (tiny sizes)."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from audiolcm.configuration.schema import compose
from audiolcm.stages.recipe import Recipe

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "training.py"


@pytest.fixture(scope="module")
def training() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_training", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("stage", ["autoencoder", "vocoder", "teacher", "student"])
def test_objective_takes_its_batch(training: ModuleType, stage: str) -> None:
    small = ["model.width=32", "model.depth=1", "model.num_heads=2", "autoencoder.model.channels=32"]
    recipe = Recipe(compose(["vocoder=istft", "vocoder.model.width=32", "vocoder.model.depth=1", *small]))
    objective = getattr(training, f"{stage}_objective")(recipe)
    batch = {
        "autoencoder": lambda: {"mel": torch.randn(2, 80, 32)},
        "vocoder": lambda: {"waveform": 0.1 * torch.randn(2, 8192)},
    }.get(stage, lambda: training.latents_batch(recipe, 2, 8))()
    for _, loss, _ in objective.losses(batch, 0, torch.Generator().manual_seed(0)):
        assert loss.isfinite()
