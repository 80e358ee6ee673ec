"""CITATION.cff can be read and speaks of this version."""

import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
REQUIRED = {"cff-version", "message", "title", "authors"}
REQUIRED_OF_REFERENCE = {"type", "title", "authors"}


@pytest.fixture
def citation() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_what_the_format_requires_is_there(citation: dict) -> None:
    assert citation.keys() >= REQUIRED
    assert citation["cff-version"] == "1.2.0"
    assert all(reference.keys() >= REQUIRED_OF_REFERENCE for reference in citation["references"])
    assert all(
        author.keys() >= {"given-names", "family-names"} for author in citation["references"][0]["authors"]
    )


def test_version_and_license_are_those_of_the_package(citation: dict) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]["text"]
    assert citation["authors"] == project["authors"]
