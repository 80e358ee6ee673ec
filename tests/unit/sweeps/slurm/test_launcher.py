"""The launcher's settings are checked before anything is submitted."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.errors import UserError
from audiolcm.sweeps.slurm.launcher import checked
from hydra_plugins.audiolcm_plugins import register_launchers

CONF = Path(__file__).resolve().parents[4] / "conf"
OPTIONS = [path.stem for path in (CONF / "hydra/launcher").glob("*.yaml")]


@pytest.fixture(autouse=True)
def _slurm_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: f"/usr/bin/{program}")


def launcher(*overrides: str) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    register_resolvers()
    register_launchers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose("train", ["hydra.job.name=train", *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    plain = dict(cfg.hydra.launcher)
    assert plain.pop("_target_") == "hydra_plugins.audiolcm_plugins.SlurmLauncher"
    return plain


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_passes(option: str) -> None:
    found = checked(launcher(f"hydra/launcher={option}"))
    assert found["name"] == "train"
    assert found["tasks_per_node"] == {"slurm_node": 8, "slurm_nodes": 8}.get(option, 1)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+hydra.launcher.time_out=3", "Unknown setting hydra.launcher.time_out. Did you mean 'timeout_min'"),
        ("hydra.launcher.timeout_min=two", "timeout_min='two' must be a whole number"),
        ("hydra.launcher.timeout_min=null", "timeout_min=None must be a whole number"),
        ("hydra.launcher.max_parallel=0", "at least 1"),
        ("hydra.launcher.wait=2", "must be a bool"),
        ("hydra.launcher.setup=x", "must be a list"),
        ("hydra.launcher.parents=both", "choose dependent or wait"),
    ],
)
def test_a_bad_setting_is_named(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked(launcher("hydra/launcher=submitit_slurm", override))


def test_without_a_launcher_ours_runs_the_jobs_here() -> None:
    GlobalHydra.instance().clear()
    register_launchers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = compose("train", return_hydra_config=True)
    assert cfg.hydra.launcher._target_ == "hydra_plugins.audiolcm_plugins.LocalLauncher"


def test_a_machine_without_slurm_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(UserError, match="no SLURM here"):
        checked(launcher("hydra/launcher=submitit_slurm"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"name": "a\ntouch owned"}, r"name='a\\ntouch owned' must be one line"),
        ({"group": "a\rb"}, r"group='a\\rb' must be one line"),
        ({"mail_user": "a\x1b[2J"}, r"mail_user='a\\x1b\[2J' must be one line"),
        (
            {"additional_parameters": {"comment": "a\nb"}},
            r"additional_parameters.comment='a\\nb' must be one line",
        ),
        ({"additional_parameters": {"a b": 1}}, "'a b' is no name of an option"),
    ],
)
def test_nothing_leaves_its_line_of_the_script(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        checked(launcher("hydra/launcher=submitit_slurm") | setting)
