"""What a configuration must hold is refused by name where it is left out or of another kind, in both scripts."""

from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir

from audiolcm.configuration.resolvers import assuming_at_hand, register_resolvers
from audiolcm.configuration.schema import compose, to_plain
from audiolcm.configuration.words import CONF
from audiolcm.errors import UserError
from audiolcm.jobs.foresight import foresee
from audiolcm.stages.recipe import Recipe
from evaluation.run import SECTIONS, checked


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("~trainer", "trainer is missing"), ("~model.width", "model.width is missing"),
        ("~autoencoder.model", "autoencoder.model chooses no"),
        ("~objective.distance", "objective.distance chooses no option"), ("~logger", "logger is missing"),
        ("text_encoder={_target_: null}", "text_encoder"), ("solver.k=null", "solver.k"),
        ("trainer.student=5", "trainer.student chooses no option"),
        ("sampler.boundary=x", "sampler.boundary must be an object of BoundaryScalings"),
        ("autoencoder.objective.adversary=null", "autoencoder.objective.adversary must be an object of"),
        ("preview.seed=x", "preview.seed='x' must be a whole number"), ("preview.student_steps=2", "must be a list"),
        ("preview.student_steps=[1,x]", "preview.student_steps='x' must be a whole number"),
        ("parents.teacher=", "parents.teacher= names no folder"), ("parents.autoencoder=[a]", "parents.autoencoder"),
        ("paths.artifacts=", "paths.artifacts= names no folder"), ("paths.cache=null", "paths.cache= names no folder"),
        ("paths.artifacts=20261128", r"typed paths.artifacts=\./20261128"),
        ("logger.tags=smoke", r"logger.tags=smoke is one value, but a list is needed, such as logger.tags=\[smoke\]"),
        ("dataset.labels=5", "dataset.labels=5 is one value"),
        ("logger.tags=[smoke,1]", r"logger.tags\[1\]=1 is of type int, but str is needed"),
        ("+dataset._partial_=x", "dataset._partial_='x' must be true or false"),
    ],
)  # fmt: skip
def test_what_must_be_there_is_asked_for_by_name(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        compose([word])


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("~system", "system is missing"), ("~seeds", "seeds is missing"), ("~efficiency", "efficiency is missing"),
        ("~evaluator.model", "evaluator.model chooses no option"),
        ("scale=papr", "scale=papr .* esc10, paper, replica"),
        ("checkpoint=", "checkpoint= names no folder"), ("path=''", "path= names no folder"),
        ("checkpoint=3", r"typed checkpoint=\./3"), ("paths.runs=", "paths.runs= names no folder"),
        ("metrics.fad_embedded=3", "metrics.fad_embedded chooses no option"), ("~metrics", "metrics is empty"),
        ("efficiency.batch_sizes=null", "efficiency.batch_sizes=None is one value"),
        ("+crosscheck=maybe", "crosscheck='maybe' must be true or false"),
    ],
)  # fmt: skip
def test_an_evaluation_asks_for_its_own(word: str, said: str) -> None:
    register_resolvers()
    # Whether YAMNet lies on this machine decides which metrics there are.
    with assuming_at_hand(False), initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = hydra_compose("evaluate", [word])
    with pytest.raises(UserError, match=said):
        checked(to_plain(cfg, SECTIONS))


def test_a_device_that_is_not_there_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    places = [f"paths.{name}={tmp_path / name}" for name in ("artifacts", "cache", "runs")]
    with pytest.raises(UserError, match="hardware.device=gpu: choose"):
        foresee(Recipe(compose(["trainer=smoke", "hardware.device=gpu", *places])))
    assert not list(tmp_path.rglob("*.*"))
