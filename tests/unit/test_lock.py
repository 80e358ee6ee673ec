"""constraints.txt is the set of pyproject.toml: what either has without the other, or against it, is found here."""

import itertools
import re
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [
    Requirement(text)
    for text in itertools.chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
]


def read_lock(text: str) -> tuple[dict[str, list[Requirement]], set[str]]:
    """The pins of each package, and the names of those that pyproject.toml itself asks for."""
    pins, direct, name = defaultdict(list), set(), ""
    for line in text.splitlines():
        if re.match(r"\s+#.*audiolcm \(pyproject\.toml\)", line):
            direct.add(name)
        elif line and not line.lstrip().startswith("#"):
            pin = Requirement(line)
            name = canonicalize_name(pin.name)
            pins[name].append(pin)
    return pins, direct


def faults(requirements: list[Requirement], lock: str) -> list[str]:
    """What a lock lacks, has too much of, or says against the requirements, for every Python and platform."""
    pins, direct = read_lock(lock)
    wanted = {canonicalize_name(requirement.name) for requirement in requirements}
    found = [f"{name} is locked, but no longer asked for" for name in sorted(direct - wanted)]
    for requirement, python, (system, machine) in itertools.product(requirements, PYTHONS, PLATFORMS):
        at = dict(default_environment()) | {
            "python_version": python,
            "python_full_version": f"{python}.9",
            "sys_platform": system,
            "platform_machine": machine,
        }
        if requirement.marker and not requirement.marker.evaluate(at):
            continue
        named = pins[canonicalize_name(requirement.name)]
        held = [pin for pin in named if pin.marker is None or pin.marker.evaluate(at)]
        versions = [next(iter(pin.specifier)).version for pin in held]
        if len(versions) != 1 or versions[0] not in requirement.specifier:
            found.append(f"{requirement} on Python {python}, {system} {machine}: locked {versions}")
    return found


def test_the_lock_holds_what_the_project_asks_for() -> None:
    lock = (ROOT / "constraints.txt").read_text()
    assert not faults(DIRECT, lock), "pyproject.toml and constraints.txt disagree: nox -s lock"
    assert all(len(list(pin.specifier)) == 1 and "==" in str(pin.specifier)
               for pins in read_lock(lock)[0].values() for pin in pins)  # fmt: skip


LOCK = """numpy==1.26.4 ; python_full_version < '3.13'
    # via audiolcm (pyproject.toml)
numpy==2.5.4 ; python_full_version >= '3.13'
    # via
    #   audiolcm (pyproject.toml)
    #   scipy
scipy==1.17.1
    # via audiolcm (pyproject.toml)
six==1.17.0
    # via scipy
"""


@pytest.mark.parametrize(
    ("requirements", "told"),
    [
        (["numpy>=1.26", "scipy"], []),
        (["numpy>=1.26", "scipy>=1.18"], ["scipy>=1.18 on Python 3.11, linux x86_64: locked ['1.17.1']"]),
        (["numpy>=2", "scipy"], ["numpy>=2 on Python 3.11, linux x86_64: locked ['1.26.4']"]),
        (["numpy", "scipy", "torch"], ["torch on Python 3.11, linux x86_64: locked []"]),
        (["numpy"], ["scipy is locked, but no longer asked for"]),
        (["numpy", "scipy", "mps; sys_platform == 'darwin'"], ["on Python 3.14, darwin arm64: locked []"]),
    ],
)
def test_each_disagreement_is_found(requirements: list[str], told: list[str]) -> None:
    found = faults([Requirement(text) for text in requirements], LOCK)
    assert len(found) >= len(told)
    assert bool(found) == bool(told)
    for words in told:
        assert any(words in fault for fault in found)


def test_nothing_is_installed_from_anything_but_the_lock() -> None:
    """What the README types, CI and nox install: each names constraints.txt, but the sessions at the ranges' ends."""
    for name in ("README.md", ".ci/run", "docs/installation.md", "CONTRIBUTING.md"):
        for line in (ROOT / name).read_text().splitlines():
            if re.search(r"\bpip install (?!.*--upgrade pip).*(-e \.|nox)", line):
                assert "constraints.txt" in line, f"{name}: {line}"


def test_every_package_here_says_that_it_is_for_this_python() -> None:
    """The upper bounds that pip heeds and uv does not: what uv locks, pip must be able to install."""
    here = ".".join(map(str, sys.version_info[:3]))
    odd = [
        f"{package.name} {package.version} is for Python {bound}"
        for package in distributions()
        if (bound := package.metadata["Requires-Python"]) and here not in SpecifierSet(bound)
    ]
    assert odd == []
