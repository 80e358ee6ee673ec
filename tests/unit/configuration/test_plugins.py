"""Which packages a configuration may name, what is said of others, and what their code counts for."""

import hashlib
import sys
import threading
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from audiolcm.configuration import fingerprint, plugins
from audiolcm.configuration.build import build
from audiolcm.configuration.checking import check
from audiolcm.configuration.fingerprint import code_of_class, code_of_plugins
from audiolcm.configuration.kept import load_yaml
from audiolcm.configuration.plugins import allowed_packages, allowing, import_from_here, is_allowed
from audiolcm.configuration.schema import compose, to_yaml
from audiolcm.data.foley import FoleyCorpus
from audiolcm.data.preparing.prepare import prepared_fingerprint
from audiolcm.data.store.prepared import FORMAT_VERSION
from audiolcm.errors import UserError
from audiolcm.jobs import run
from audiolcm.jobs.finished import inputs_of
from audiolcm.storage.run_folder import read_result
from audiolcm.training.stage_runner import StageRunner

LOSSES = """
import os
import numpy as np
from numpy import load
from audiolcm.diffusion.distance import L2

class Scaled:
    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
    def tuned(self) -> float:
        return self.scale
    @classmethod
    def doubled(cls, scale: float = 1.0) -> "Scaled":
        return cls(2 * scale)

class _Hidden:
    pass

class Hinted:
    def __init__(self, scale: "OnlyForCheckers" = 1.0) -> None:
        self.scale = scale

def function() -> None: ...
INSTANCE = Scaled()
"""
NODE = {"_target_": "strange.losses.Scaled", "scale": 3.0}


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``strange`` in the current folder, not imported yet."""
    home = tmp_path / "strange"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "losses.py").write_text(LOSSES)
    (home / "broken.py").write_text("import nowhere_at_all\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)
    fingerprint.code_hash.cache_clear()
    yield home
    for name in [name for name in sys.modules if name.partition(".")[0] == "strange"]:
        del sys.modules[name]
    fingerprint.code_hash.cache_clear()


def refused(node: object, match: str, **more: Any) -> str:
    with pytest.raises(UserError, match=match) as caught:
        check(node, "objective.distance", **more)
    return str(caught.value)


def test_a_named_package_is_allowed_within_its_block_only() -> None:
    message = refused(NODE, "refused")
    assert "objective.distance._target_=strange.losses.Scaled" in message
    assert "audiolcm, evaluation, experiments" in message and "plugins=[strange]" in message
    assert "strange" not in sys.modules
    with allowing(["strange"]):
        assert build(NODE, "objective.distance").scale == 3.0
        assert build(NODE | {"_target_": "strange.losses.Scaled.doubled"}, "objective.distance").scale == 6.0
        with allowing(None):
            assert is_allowed("strange.losses.Scaled") and not is_allowed("stranger.losses.Scaled")
    refused(NODE, "refused")


def test_a_module_can_be_allowed_alone(package: Path) -> None:
    (package / "more.py").write_text("class More: ...\n")
    with allowing(["strange.losses"]):
        check(NODE)
        refused({"_target_": "strange.more.More"}, r"plugins=\[strange.losses,strange\]")
        assert "strange.more" not in sys.modules


def test_other_threads_and_later_jobs_see_nothing_of_it() -> None:
    seen: list[bool] = []
    with allowing(["strange"]):
        thread = threading.Thread(target=lambda: seen.append(is_allowed("strange.losses.Scaled")))
        thread.start()
        thread.join()
    assert seen == [False]
    with pytest.raises(ValueError), allowing(["strange"]):
        raise ValueError
    assert allowed_packages() == plugins.OUR_PACKAGES


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("strange.losses.np.load", "it is not defined in"),
        ("strange.losses.load", "it is not defined in"),
        ("strange.losses.os.system", "it is not defined in"),
        ("strange.losses.function", "it is no class of"),
        ("strange.losses.INSTANCE.tuned", "it is no class of"),
        ("strange.losses._Hidden", "it is no class of"),
        ("strange.losses.Scald", "does not exist"),
        ("strange.broken.Thing", "does not exist: .*nowhere_at_all"),
        ("subprocess.Popen", "part of Python itself and cannot be allowed"),
        ("strange", "only classes of .*'strange' is no name of a class|is no class of|not defined"),
        ("other\npackage.Class", "no name of a class"),
    ],
)
def test_an_allowed_package_gives_classes_of_its_own_only(target: str, message: str) -> None:
    with allowing(["strange"]):
        refused({"_target_": target}, message)


def test_settings_are_checked_like_ours() -> None:
    with allowing(["strange"]):
        message = refused(
            NODE | {"scal": 1.0}, "Unknown setting objective.distance.scal. Did you mean 'scale'"
        )
        assert "~objective.distance.scal" in message
        refused(NODE | {"scale": "big"}, "of type str, but float is needed")
        assert build({"_target_": "strange.losses.Hinted", "scale": "any"}, "x").scale == "any"


@pytest.mark.parametrize("hiding", [(("a", NODE),), {1}, b"x", object()])
def test_only_plain_values_stand_in_a_configuration(hiding: object) -> None:
    refused({"a": [{"b": hiding}]}, r"objective.distance.a\[0\].b is of type")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("strange", r"plugins=strange must be a list of packages: plugins=\[strange\]"),
        (["stronge"], "stronge cannot be imported .*No module named 'stronge'.*pip install -e"),
        (["strange.broken"], "strange.broken cannot be imported .*nowhere_at_all"),
        (["./strange"], "'./strange' is no name of a package"),
        ([3], "3 is no name of a package"),
        (["subprocess"], "part of Python itself"),
    ],
)
def test_bad_plugins_are_one_message(given: object, message: str) -> None:
    with pytest.raises(UserError, match=message), allowing(given):
        pass
    assert allowed_packages() == plugins.OUR_PACKAGES


def test_an_installed_distribution_allows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("any", "strange.losses:Scaled", plugins.GROUP)])
    monkeypatch.setattr(plugins, "entry_points", lambda group: points.select(group=group))
    check(NODE)
    assert "strange.losses" in refused({"_target_": "other.Thing"}, "may be named here")


def test_the_run_s_own_configuration_names_what_it_allows() -> None:
    words = ["objective/distance=l2", "objective.distance._target_=strange.losses.Scaled"]
    assert compose([*words, "plugins=[strange]"])["plugins"] == ["strange"]
    with pytest.raises(UserError, match=r"plugins=\[strange\]"):
        compose(words)


def stored(folder: Path, **sections: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(to_yaml(compose([]) | sections))
    return path


def test_a_model_is_refused_whatever_it_allows_itself(tmp_path: Path) -> None:
    solver = {"_target_": "wild.Solver"}
    path = stored(tmp_path, plugins=["strange", "wild"], objective={"distance": NODE}, solver=solver)
    with pytest.raises(UserError, match="outside of this project's packages") as caught:
        load_yaml(path)
    message = str(caught.value)
    assert str(path) in message and "audiolcm, evaluation, experiments." in message
    assert "plugins=[wild,strange] (audiolcm generate: --plugins wild --plugins strange;" in message
    assert "strange" not in sys.modules
    path = stored(tmp_path, objective={"distance": NODE})
    with allowing(["strange"]):
        assert load_yaml(path)["objective"]["distance"] == NODE


def test_the_current_folder_comes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", ["somewhere"])
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=1"])
    import_from_here()
    assert sys.path == ["somewhere"]  # which may be a stranger's folder
    monkeypatch.setattr(sys, "argv", ["train.py", "plugins=[mypkg]"])
    import_from_here()
    import_from_here()
    assert sys.path == ["somewhere", str(tmp_path)]


def changed(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    fingerprint.code_hash.cache_clear()
    return code_of_plugins({"a": [NODE]})


def test_code_is_that_of_the_module_and_what_it_imports_of_its_package(package: Path) -> None:
    assert code_of_plugins({"a": [NODE]}) == {} == code_of_plugins(compose([]))
    (package / "parts").mkdir()
    (package / "parts" / "__init__.py").write_text("from .deep import depth\n")
    (package / "parts" / "deep.py").write_text("depth = 1\n")
    (package / "unused.py").write_text("x = 1\n")
    losses = f"from . import parts\nimport strange\n{LOSSES}"
    (package / "losses.py").write_text(losses)
    with allowing(["strange"]):
        before = code_of_plugins({"a": [NODE]})
        assert set(before) == {"strange", "strange.losses", "strange.parts", "strange.parts.deep"}
        assert changed(package / "unused.py", "x = 2\n") == before
        assert changed(package / "losses.py", f"# comment\n{losses}") == before
        assert changed(package / "losses.py", losses.replace("2 * scale", "3 * scale")) != before
        assert changed(package / "losses.py", losses) == before
        assert changed(package / "parts" / "deep.py", "depth = 2\n") != before


def test_of_an_installed_distribution_the_version_counts() -> None:
    assert set(code_of_class(yaml.YAMLObject)) == {"yaml", "PyYAML version"}


@pytest.mark.parametrize("where", ["section", "optimizer"])
def test_identities_have_the_code_of_plugins_only_where_there_is_some(where: str) -> None:
    cfg = compose(["hardware=cpu"])
    with allowing(["strange"]):
        code = code_of_plugins(NODE)
        plain = StageRunner(cfg).identity("student", "name", "data", {}, {"solver": cfg["solver"]})
        assert "plugins" not in plain.content
        section = NODE if where == "section" else cfg["solver"]
        runner = StageRunner(cfg | ({"optimizer": NODE} if where == "optimizer" else {}))
        identity = runner.identity("student", "name", "data", {}, {"solver": section})
    assert identity.content["plugins"] == code and code


def test_data_and_runs_without_plugins_keep_their_fingerprints() -> None:
    """As they were before there were plugins: what is on disk is found again."""
    text = f"{FORMAT_VERSION} {FoleyCorpus().fingerprint()}"
    assert prepared_fingerprint(FoleyCorpus()) == hashlib.sha256(text.encode()).hexdigest()
    cfg = compose([])
    without = {name: section for name, section in cfg.items() if name != "plugins"}
    assert inputs_of(cfg) == inputs_of(without)
    assert fingerprint.settings_made(cfg) == fingerprint.settings_made(without)


def test_an_edited_data_set_is_prepared_again(package: Path) -> None:
    text = "from audiolcm.data.foley import FoleyCorpus\nclass Own(FoleyCorpus):\n    level = 1\n"
    (package / "data.py").write_text(text)
    from strange.data import Own

    first = prepared_fingerprint(Own())
    assert first != prepared_fingerprint(FoleyCorpus())
    (package / "data.py").write_text(text.replace("1", "2"))
    fingerprint.code_hash.cache_clear()
    assert prepared_fingerprint(Own()) != first


def test_every_job_of_a_sweep_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The basic launcher runs them in one process, and a failed one is not the end."""
    hydra = SimpleNamespace(
        runtime=SimpleNamespace(output_dir=str(tmp_path), config_sources=[]), mode=RunMode.MULTIRUN
    )
    monkeypatch.setattr(run.HydraConfig, "get", lambda: hydra)
    seen: list[tuple[str, ...]] = []

    def job(cfg: DictConfig, folder: Path) -> None:
        seen.append(allowed_packages())
        raise UserError("failed")

    for packages in (["strange"], [], ["nowhere_at_all"]):
        run.run_job(OmegaConf.create({"plugins": packages}), job)
    assert seen == [(*plugins.OUR_PACKAGES, "strange"), plugins.OUR_PACKAGES]
    assert "nowhere_at_all cannot be imported" in read_result(tmp_path)["error"]
