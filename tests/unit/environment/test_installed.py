"""The lock read, and what installed packages lack, with metadata that the tests make."""

import importlib.metadata

import pytest
from packaging.requirements import Requirement

from audiolcm.environment import installed
from audiolcm.environment.installed import read_lock, unmet_requirements, wanted

LOCK = """
# made by a tool
--index-url somewhere
hydra-core==1.3.8
    # via audiolcm
Torch==2.14.1 ; python_full_version >= '3.11'
numpy==1.26.4 ; python_full_version < '3'
numpy==2.5.0 ; python_full_version >= '3'
tqdm==4.70.1  # via audiolcm
"""


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, list[str]]]:
    """Versions and requirements by package, which the test fills; nothing else is installed."""
    made: dict[str, tuple[str, list[str]]] = {}

    def version(name: str) -> str:
        if name not in made:
            raise importlib.metadata.PackageNotFoundError(name)
        return made[name][0]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: made[name][1] if name in made else None)
    return made


def told(*roots: str) -> list[str]:
    return [str(fault) for fault in unmet_requirements([Requirement(root) for root in roots])]


def test_lock_holds_what_counts_here() -> None:
    assert read_lock(LOCK) == {"hydra-core": "1.3.8", "torch": "2.14.1", "numpy": "2.5.0", "tqdm": "4.70.1"}


def test_checkouts_lock_holds_every_direct_requirement() -> None:
    assert {need.name for need in wanted()} <= set(installed.locked())


def test_requirements_are_followed_to_the_end(packages: dict[str, tuple[str, list[str]]]) -> None:
    packages["a"] = ("1.0", ["b>=2", "gone", "windows-only; sys_platform == 'win32'"])
    packages["b"] = ("2.1+cpu", ["c<3", "a"])
    packages["c"] = ("3.1rc1", [])
    assert told("a") == [
        "a 1.0 needs gone, but gone is not installed",
        "b 2.1+cpu needs c<3, but c 3.1rc1 is installed",
    ]


def test_extras_count_only_where_they_are_asked_for(packages: dict[str, tuple[str, list[str]]]) -> None:
    packages["a"] = ("1.0", ["b[fast]"])
    packages["b"] = ("1.0", ["c; extra == 'fast'", "d; extra == 'slow'"])
    assert told("a") == ["b 1.0 needs c, but c is not installed"]


@pytest.mark.parametrize(
    ("torchaudio", "torch", "goes"),
    [
        ("2.11.0", "2.11.0", True),
        ("2.11.0", "2.14.1+cu130", True),
        ("2.11.0", "2.15.0", False),
        ("2.11.1", "2.11.0", False),
        ("2.11.1", "2.13.0", True),
        ("2.11.1", "2.15.2", True),
        ("2.12.0", "2.11.0", True),  # of which nothing is known
    ],
)
def test_pairs_that_were_tried(
    packages: dict[str, tuple[str, list[str]]], torchaudio: str, torch: str, goes: bool
) -> None:
    packages["torchaudio"], packages["torch"] = (torchaudio, []), (torch, [])
    assert (not told("torchaudio")) is goes
