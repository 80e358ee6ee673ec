"""Fingerprints: what can change a figure changes them, and nothing else does."""

import copy
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from audiolcm.configuration.fingerprint import (
    DECIDING,
    changed_modules,
    code_hash,
    code_of,
    method_fingerprint,
    settings_fingerprint,
)
from audiolcm.jobs.run import made_by

CODE = '''"""A module."""
import math


class Ruler:
    """Measures."""

    unit = "m"

    def length(self, x: float, y: float = 1.0) -> float:
        """Return the length."""
        return math.hypot(x, y)  # of a right triangle
'''
NESTED = """def shown(cells, width=3, end=""):
    return [f"{cell:<{width}}{cells['a'] or ''}{end!r}" for cell in cells] + ["", end]
"""
SETTINGS = {
    "seed": 0,
    "dataset": {"_target_": "audiolcm.data.corpora.esc.Esc10", "root": "/data/esc10", "duration": 5.0},
    "protocol": {"name": "replica", "captions": None, "without": ["a"]},
    "system": {
        "_target_": "s",
        "checkpoint": "runs/a",
        "artifacts": "artifacts",
        "hardware": {},
        "path": None,
    },
    "sampler": {"num_steps": 2, "omega": None},
    "paths": {"runs": "runs", "cache": "cache"},
    "logger": {"mode": "offline"},
    "hardware": {"device": "auto", "precision": "float32"},
    "parallel": {"name": "ddp"},
    "checkpoint": "runs/a",
    "path": None,
    "preview": {"num_clips": 6},
    "report_clips": 24,
    "crosscheck": False,
    "objective_metric": "validation/loss",
    "row": "full-seed0",
    "plan": None,
    "scale": "replica",
}
_numbers = count()


@pytest.fixture
def hash_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The hash of a module with some code; each is another module, since hashes are kept."""
    monkeypatch.syspath_prepend(tmp_path)

    def hashed(code: str) -> str:
        name = f"fingerprinted_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(code)
        found = code_hash(name)
        assert found is not None
        return found

    return hashed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another text,\n\nof several lines."""'),
        ('"""A module."""\n', ""),
        ('        """Return the length."""\n', ""),
        ("  # of a right triangle", ""),
        ("return math.hypot(x, y)", "return math.hypot(\n            x,\n            y,\n        )"),
        ('    unit = "m"', '    unit = "m"\n    """Of lengths."""'),
        ("import math", "import math\nimport os"),
    ],
)
def test_texts_comments_layout_and_imports_do_not_count(
    hash_of: Callable[[str], str], old: str, new: str
) -> None:
    assert old in CODE
    assert hash_of(CODE.replace(old, new)) == hash_of(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hypot(x, y)", "hypot(y, x)"), ("y: float = 1.0", "y: float = 2.0"), ('unit = "m"', 'unit = "km"'),
        ("        return", "        x += 1\n        return"), ("def length", "def size"),
    ],
)  # fmt: skip
def test_code_counts(hash_of: Callable[[str], str], old: str, new: str) -> None:
    assert old in CODE
    assert hash_of(CODE.replace(old, new)) != hash_of(CODE)


def test_what_is_no_module_of_python_has_no_hash() -> None:
    assert code_hash("audiolcm.nowhere") is None
    assert code_hash("nowhere.at.all") is None
    assert code_hash("math") is None  # compiled
    assert code_hash("hydra_plugins") is None  # a namespace


def test_changed_and_removed_modules_are_named() -> None:
    kept = {name: code_hash(name) for name in ("audiolcm.random_numbers", "audiolcm.diffusion.solver")}
    assert changed_modules(kept) == []
    assert changed_modules(kept | {"audiolcm.random_numbers": "0123456789", "audiolcm.gone": "ab" * 5}) == [
        "audiolcm.random_numbers", "audiolcm.gone",
    ]  # fmt: skip


def test_the_fingerprint_of_the_method_has_the_loaded_modules_that_decide() -> None:
    import audiolcm.commands.cli
    import audiolcm.diffusion.solver  # noqa: F401 (loaded is what counts)

    found = method_fingerprint()
    assert found["audiolcm.diffusion.solver"] == code_hash("audiolcm.diffusion.solver")
    assert "audiolcm.commands.cli" not in found and "audiolcm.commands.cli" in sys.modules
    assert not any(name.startswith("audiolcm.diffusionx") or not value for name, value in found.items())


def test_code_that_times_makes_stale_what_was_timed_and_nothing_else() -> None:
    import evaluation.efficiency  # noqa: F401 (loaded is what counts)

    timed = made_by({}, idle=())["method"]
    assert timed["evaluation.efficiency"] == code_hash("evaluation.efficiency")
    untimed = made_by({}, idle=("evaluation.efficiency",))["method"]
    assert untimed == {name: code for name, code in timed.items() if name != "evaluation.efficiency"}
    assert changed_modules(timed | {"evaluation.efficiency": "0123456789"}) == ["evaluation.efficiency"]


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_exists(name: str) -> None:
    """A misspelled name would let a change of its code pass for none."""
    assert find_spec(name) is not None
    assert code_hash(name) is not None or find_spec(name).submodule_search_locations


def test_one_hash_of_packages_changes_with_any_of_their_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for inner in ("x = 1", "x = 1  # one", "x = 2"):
        name = f"fingerprinted_{next(_numbers)}"
        (tmp_path / name / "deep").mkdir(parents=True)
        for path, code in {"__init__.py": "", "deep/__init__.py": "", "deep/module.py": inner}.items():
            (tmp_path / name / path).write_text(code)
        found.append(code_of([name]))
    assert found[0] == found[1] != found[2]


def changed(path: str, value: Any) -> dict[str, Any]:
    settings: dict[str, Any] = copy.deepcopy(SETTINGS)
    *sections, key = path.split(".")
    node = settings
    for section in sections:
        node = node[section]
    assert key in node and node[key] != value, "the case changes nothing"
    node[key] = value
    return settings


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dataset.root", "/elsewhere"), ("paths.runs", "/scratch/runs"), ("logger", None), ("hardware.device", "cuda"),
        ("hardware.precision", "bfloat16"), ("parallel.name", "fsdp"), ("checkpoint", "runs/b"), ("path", "sounds"),
        ("protocol.captions", "/lists"), ("system.checkpoint", "runs/b"), ("system.artifacts", "/a"),
        ("system.hardware", {"device": "cpu"}), ("system.path", "/s"), ("preview.num_clips", 1), ("report_clips", 4),
        ("crosscheck", True),
        ("row", "full-seed1"), ("scale", "paper"), ("plan", 1), ("objective_metric", "x"),
    ],
)  # fmt: skip
def test_places_do_not_count(path: str, value: Any) -> None:
    assert settings_fingerprint(changed(path, value)) == settings_fingerprint(SETTINGS)


def test_an_extractor_without_choices_does_not_count_and_another_does() -> None:
    """Records from before it was offered stay fresh: metrics name what they hear with."""
    known = {"features": {"vggish": {"weights": None}}}
    for name in ("yamnet", "texture", "patches"):
        more = {"features": known["features"] | {name: {"_target_": "t"}}}
        assert settings_fingerprint(more) == settings_fingerprint(known)
    more = {"features": known["features"] | {"clap": {"crop": "start"}}}
    assert settings_fingerprint(more) != settings_fingerprint(known)


def test_a_setting_that_came_later_counts_only_with_a_value() -> None:
    known = {"guidance": {"w_min": 2.0}, "teacher": {"retrofit": None}, "system": {"omega": None}}
    later = [f"system.{name}" for name in ("interval", "kind", "spacing", "eta")]
    for path in ("guidance.interval", "teacher.initial", *later):
        section, _, name = path.partition(".")
        without, with_one = known[section] | {name: None}, known[section] | {name: [1, 2]}
        assert settings_fingerprint(known | {section: without}) == settings_fingerprint(known)
        assert settings_fingerprint(known | {section: with_one}) != settings_fingerprint(known)
    assert settings_fingerprint(
        known | {"system": {"omega": None, "num_steps": None}}
    ) != settings_fingerprint(known)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", 1), ("dataset.duration", 2.5), ("protocol.without", []), ("protocol.name", "other"),
        ("sampler.num_steps", 4), ("sampler.omega", 0.0), ("system._target_", "t"),
    ],
)  # fmt: skip
def test_values_count(path: str, value: Any) -> None:
    assert settings_fingerprint(changed(path, value)) != settings_fingerprint(SETTINGS)


def test_neither_order_nor_the_settings_themselves_are_changed() -> None:
    before = copy.deepcopy(SETTINGS)
    backwards = dict(reversed(SETTINGS.items()))
    assert settings_fingerprint(backwards) == settings_fingerprint(SETTINGS)
    assert before == SETTINGS


def test_the_hash_of_code_is_that_of_every_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Python 3.11, 3.12.1 and 3.13, whose own ways to write the same code down differ."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, code, known in (("told_code", CODE, "bcec5ab911"), ("told_nested", NESTED, "dc54771aee")):
        (tmp_path / f"{name}.py").write_text(code)
        assert code_hash(name) == known
    (tmp_path / "told_less.py").write_text(NESTED.replace('["", end]', "[end]"))
    assert code_hash("told_less") != code_hash("told_nested")
