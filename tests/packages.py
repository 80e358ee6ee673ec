"""Tests that compare with a package run wherever our markers install it; elsewhere they say why they do not."""

import importlib.util
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
BROUGHT_BY = {"torchvision": "laion-clap"}  # packages that no line of ours names


def needs_package(name: str) -> None:
    """Skip the test, or the module that says so at its top, where our markers leave the package out and it is not here.

    Where they do not, nothing happens: without the package the test shall fail.
    """
    if left_out(name) and importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not for this Python (markers of pyproject.toml)", allow_module_level=True)


def left_out(name: str, python: str | None = None) -> bool:
    """Return whether the markers of pyproject.toml leave a package out, on this Python or on another."""
    wanted = BROUGHT_BY.get(name, name.replace("_", "-"))
    lines = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    markers = [r.marker for r in map(Requirement, lines) if r.name == wanted]
    environment = None if python is None else {"python_version": python}
    return not any(marker is None or marker.evaluate(environment) for marker in markers)
