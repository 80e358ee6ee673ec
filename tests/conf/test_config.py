"""Composition: every option of every group builds, typos are caught, overrides win as documented."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from audiolcm.configuration.build import build
from audiolcm.configuration.checking import check
from audiolcm.configuration.kept import load_yaml
from audiolcm.configuration.resolvers import register_resolvers, slug
from audiolcm.configuration.schema import compose, resolve, to_yaml
from audiolcm.configuration.words import readable
from audiolcm.errors import UserError
from audiolcm.training.stage_runner import StageRunner

CONF = Path(__file__).resolve().parents[2] / "conf"
# See test_evaluate_config.py
OF_EVALUATE = ("protocol", "system", "metrics", "features", "evaluator", "efficiency")
GROUPS = [
    (str(file.parent.relative_to(CONF)), file.stem)
    for file in sorted(CONF.rglob("*.yaml"))
    if file.parent != CONF
    and file.parent.name != "base"  # what options share, no option
    and file.relative_to(CONF).parts[0] not in ("experiment", "hydra", "profile", *OF_EVALUATE)
]
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _fresh_hydra():
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("profile", ["replica", "paper"])
def test_profiles_compose_and_pass_the_check(profile: str) -> None:
    cfg = compose([f"profile={profile}"])
    assert cfg["solver"]["k"] == 20
    assert (cfg["guidance"]["w_min"], cfg["guidance"]["w_max"]) == {
        "replica": (2.0, 6.0),
        "paper": (4.0, 12.0),
    }[profile]


@pytest.mark.parametrize(("group", "option"), GROUPS)
def test_every_option_of_every_group_passes_the_check(group: str, option: str) -> None:
    compose([f"{group}={option}"])


@pytest.mark.parametrize("profile", ["replica", "paper"])
@pytest.mark.parametrize("override", ["model=medium", "dataset=clotho", "trainer=smoke", "solver=ddim_dense"])
def test_command_line_beats_the_profile(profile: str, override: str) -> None:
    group, option = override.split("=")
    expected = OmegaConf.load(CONF / group / f"{option}.yaml")
    composed = compose([f"profile={profile}", override])[group]
    for key in ("_target_", "width"):
        if key in expected:
            assert composed[key] == expected[key]


def test_the_paper_profile_has_no_replica_shortcut() -> None:
    paper, replica = compose(["profile=paper"]), compose([])
    assert paper["objective"]["diffusion"]["loss_weighting"] == "epsilon"
    assert (paper["model"]["prediction_type"], paper["model"]["kernel_size"]) == ("epsilon", 9)
    assert replica["objective"]["diffusion"]["loss_weighting"] == "balanced"


def test_a_stage_may_have_its_own_optimizer() -> None:
    runner = StageRunner(compose(["profile=paper", "hardware=cpu"]))
    autoencoder, student = (runner.optimizer(stage) for stage in ("autoencoder", "student"))
    assert (autoencoder["beta1"], autoencoder["beta2"]) == (0.5, 0.9)
    assert (student["beta1"], student["beta2"]) == (0.9, 0.999)


def test_trainer_follows_the_data_set_unless_told_otherwise() -> None:
    steps = {name: compose(args)["trainer"]["teacher"]["steps"] for name, args in {
        "foley": [], "esc10": ["dataset=esc10"], "smoke": ["dataset=esc10", "trainer=smoke"],
    }.items()}  # fmt: skip
    assert steps["smoke"] < steps["foley"] < steps["esc10"]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "os.system", "command": "x"}, "refused"),
        ({"_target_": "audiolcm.data.store.shards.np.load", "file": "x", "allow_pickle": True}, "refused"),
        (
            {"_target_": "audiolcm.training.stage_runner.torch.load", "f": "x", "weights_only": False},
            "refused",
        ),
        ({"_target_": "audiolcm.commands.cli.logging.FileHandler", "filename": "x"}, "refused"),
        ({"_target_": "audiolcm.diffusion.solver.Nothing"}, "does not exist"),
        ({"_target_": "audiolcm.diffusion.solver.GridSolver", "kk": 5}, "Unknown setting solver.kk.*'k'"),
        ({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": "five"}, "of type str, but int is needed"),
        ({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": 2.5}, "of type float, but int is needed"),
        ({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": True}, "of type bool, but int is needed"),
        ({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": None}, "null"),
    ],
)
def test_bad_nodes_are_named(node: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(node, "solver")


def test_typo_in_an_experiment_file_is_caught() -> None:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = hydra_compose("train")
    OmegaConf.set_struct(cfg, False)
    cfg.solver.kk = 5
    with pytest.raises(UserError, match="solver.kk"):
        resolve(cfg)
    del cfg.solver["kk"]
    cfg.guidence = {"w_min": 0}
    with pytest.raises(UserError, match="Did you mean 'guidance'"):
        resolve(cfg)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+parents.techer=x", "Did you mean 'teacher'"),
        ("+trainer.studnet.steps=3", "Did you mean 'student'"),
        ("+model.widht=3", "Did you mean 'width'"),
        ("model.width=abc", "whole number"),
        ("preview.num_clips=0", "at least 1"),
        ("seed=-1", "out of range: 0 to"),
    ],
)
def test_sections_without_a_class_are_checked_too(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose([override])


def test_stored_configuration_may_not_reach_out(tmp_path: Path) -> None:
    """What lies beside downloaded weights is data: no resolver runs, no section may be missing."""
    stored = tmp_path / "config.yaml"
    plain = compose([])
    stored.write_text(to_yaml(plain))
    assert load_yaml(stored) == plain
    stored.write_text(to_yaml(plain).replace("seed: 0", "seed: ${oc.env:HOME}", 1))
    with pytest.raises(UserError, match="not a resolved configuration"):
        load_yaml(stored)
    stored.write_text("seed: 0\n")
    with pytest.raises(UserError, match="lacks the section"):
        load_yaml(stored)
    stored.write_text("a: [")
    with pytest.raises(UserError, match="cannot be read"):
        load_yaml(stored)
    with pytest.raises(UserError, match="cannot be read"):
        load_yaml(tmp_path / "nothing.yaml")


def test_pairs_and_other_yaml_tags_of_a_model_hide_nothing(tmp_path: Path) -> None:
    path, plain = tmp_path / "config.yaml", to_yaml(compose([]))
    for tag in (
        "!!pairs [a: {_target_: os.system}]",
        "!!omap [a: {_target_: os.system}]",
        "!!set {a}",
        "2020-01-01",
    ):
        path.write_text(f"{plain}\nplan: {tag}\n")
        with pytest.raises(UserError, match=r"it has a (tuple|set|date) at plan.*, which is no plain value"):
            load_yaml(path)


@pytest.mark.parametrize(
    "change",
    [
        {"model": {}}, {"model": 5}, {"backbone": {"norm": {}}}, {"backbone": []}, {"autoencoder": {"objective": None}},
        {"vocoder": "x"}, {"text_encoder": {}}, {"schedule": None}, {"sampler": {"num_steps": 2}}, {"dataset": {}},
        {"solver": 20}, {"autoencoder": {"model": {"_target_": "audiolcm.models.autoencoder.Autoencoder"}}},
    ],
)  # fmt: skip
def test_a_stored_section_of_another_shape_is_one_message(tmp_path: Path, change: dict[str, object]) -> None:
    stored = tmp_path / "config.yaml"
    stored.write_text(to_yaml(compose([]) | change))
    with pytest.raises(UserError, match=f"lacks the section '{next(iter(change))}"):
        load_yaml(stored)


@pytest.mark.parametrize("value", [("a", {"_target_": "os.system"}), {"a"}, b"x", float])
def test_what_is_built_is_made_of_plain_values(value: object) -> None:
    with pytest.raises(UserError, match=r"solver cannot be built: it has a (tuple|set|bytes|type) at k"):
        build({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": {"b": value}}, "solver")


def test_a_size_beyond_the_memory_is_one_message() -> None:
    node = compose([])["autoencoder"]["model"] | {"channels": 10**15}
    with pytest.raises(UserError, match="model cannot be built"):
        build(node, "model")


def test_constructor_errors_come_through_as_they_are() -> None:
    with pytest.raises(UserError, match=r"solver.k=24 does not divide"):
        build({"_target_": "audiolcm.diffusion.solver.GridSolver", "k": 24}, "solver")


def test_stages_are_known_by_name() -> None:
    assert compose(["stage=teacher"])["stage"] == "teacher"
    with pytest.raises(UserError, match="stage=techer: choose data, autoencoder"):
        compose(["stage=techer"])


def test_slug_is_readable_distinct_and_short() -> None:
    assert slug("") == "default"
    assert slug("backbone/norm=layernorm,seed=1") == "backbone.norm-layernorm+seed-1"
    assert slug("dataset.root=a b") != slug("dataset.root=a:b")
    long = ",".join(f"trainer.student.steps{i}=1" for i in range(30))
    assert len(slug(long)) <= 120
    assert slug(long) != slug(long + ",x=1")
    assert slug("dataset.root=a/b") != slug("dataset.root=a.b")
    many = [
        "dataset.max_duration=3.0", "dataset.num_test=4", "dataset.num_train=24", "dataset.num_validation=8",
        "hardware.num_threads=1", "logger=jsonl", "preview.num_clips=2", "trainer=smoke", "vocoder=istft",
    ]  # fmt: skip
    for swept, seen in (
        ("solver.k=5", "k-5"),
        ("backbone/norm=layernorm", "norm-layernorm"),
        ("seed=3", "seed-3"),
    ):
        assert seen in slug(",".join(sorted([*many, swept])))


def test_slug_has_no_sign_that_needs_quotes() -> None:
    lists = [
        "a=1,b=2",
        "a=b c",
        "dataset.root=/Töne (1)/it's,#[x]",
        "+plan=1,~vocoder",
        "x=-1.5",
        "a=1+b",
        "a-b=1",
    ]
    names = [slug(words) for words in lists]
    assert all(readable([f"path={name}"]) == [f"path={name}"] and shlex.quote(name) == name for name in names)
    assert (
        slug("a=1+b=2") != slug("a=1,b=2") and slug("a-b=1") != slug("a=b-1") and slug("a=ä") != slug("a=ö")
    )


def test_slug_keeps_a_folder_that_a_former_version_named(tmp_path: Path) -> None:
    assert slug("a=1,b=2", str(tmp_path)) == "a-1+b-2"
    (tmp_path / "a=1,b=2").mkdir()
    assert slug("a=1,b=2", str(tmp_path)) == "a=1,b=2"
