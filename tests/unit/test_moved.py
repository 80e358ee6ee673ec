"""Names of earlier versions: what was saved, recorded and written then still finds its modules."""

import importlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from audiolcm.configuration.fingerprint import (
    changed_modules,
    code_hash,
    code_now,
    code_of,
    method_fingerprint,
    settings_fingerprint,
)
from audiolcm.moved import MOVED, SPLIT, former
from audiolcm.storage.hashing import content_hash, sealed, unsealed

METHODS = Path(__file__).parents[2] / "experiments/results/records/method"


@pytest.mark.parametrize(("old", "new"), MOVED.items())
def test_an_old_name_is_the_module_of_today(old: str, new: str) -> None:
    assert importlib.import_module(old) is importlib.import_module(new)
    assert find_spec(new).name == new, "the old name took the place of the new one"
    assert new not in MOVED


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two moves that never were: former names for two modules of ours."""
    for old, new in (
        ("audiolcm.nowhere_now", "audiolcm.errors"),
        ("audiolcm.old_room.solver", "audiolcm.storage.hashing"),
    ):
        monkeypatch.setitem(MOVED, old, new)
        monkeypatch.setitem(importlib.import_module("audiolcm.moved")._BEFORE, new, old)


@pytest.mark.usefixtures("moved")
def test_a_move_changes_no_hash() -> None:
    before = {
        "solver": {"_target_": "audiolcm.old_room.solver.Solver", "k": 20},
        "others": ["audiolcm.storage.hashing.x"],
    }
    now = {
        "solver": {"_target_": "audiolcm.storage.hashing.Solver", "k": 20},
        "others": ["audiolcm.storage.hashing.x"],
    }
    assert former(now) == before
    assert content_hash(now) == content_hash(before)
    assert settings_fingerprint(now) == settings_fingerprint(before)
    assert unsealed(sealed(now)) == now
    assert content_hash(now) != content_hash(now | {"others": []})


@pytest.mark.usefixtures("moved")
def test_a_record_that_names_a_moved_module_is_fresh_until_its_code_changes() -> None:
    name = "audiolcm.nowhere_now"
    assert changed_modules({name: str(code_hash("audiolcm.errors"))}) == []
    assert changed_modules({name: "0123456789"}) == [name]


@pytest.mark.usefixtures("moved")
def test_an_old_name_is_imported_as_the_module_of_today() -> None:
    assert (
        importlib.import_module("audiolcm.nowhere_now").UserError
        is importlib.import_module("audiolcm.errors").UserError
    )
    assert not any(name in MOVED for name in method_fingerprint())
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("audiolcm.never_was")


def test_every_module_that_a_committed_record_names_is_there() -> None:
    named = {name for path in METHODS.glob("*.json") for name in json.loads(path.read_text())}
    assert len(named) > 50
    assert [name for name in sorted(named) if code_hash(MOVED.get(name, name)) is None] == []


def test_a_module_that_was_split_is_as_fresh_as_all_of_its_parts() -> None:
    for old, parts in SPLIT.items():
        whole = str(code_now(old))
        assert changed_modules({old: whole}) == []
        assert whole == code_of(parts) != code_hash(MOVED[old])


def test_what_the_documents_of_earlier_versions_import_is_there() -> None:
    from evaluation.protocol import Item, ProtocolItem
    from evaluation.trial import Ears, Extractors

    assert Item is ProtocolItem and Ears is Extractors
    code = "from evaluation.score import Ears, Trial"  # by itself, before anything of ours was imported
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
