"""What the worker makes of a package that fails without saying so; packages are stood in for by small classes."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from evaluation.crosscheck import worker


class Scored:
    """FrechetAudioDistance's outside: it keeps embeddings, prints what went wrong, and returns a figure or -1."""

    said, value, rows = "", 2.5, np.arange(12.0)

    def __init__(self, **_: object) -> None:
        self.shapes = []

    def score(self, _background: str, _folder: str, *kept: str) -> float:
        sys.stdout.write(self.said)
        for path in kept:
            Path(path).parent.mkdir(exist_ok=True)
            if not Path(path).exists():
                np.save(path, self.rows)
        if self.value == "shape" and np.load(kept[0]).ndim == 1:
            sys.stdout.write("[Frechet Audio Distance] An error occurred: not enough values\n")
            return -1
        return float(np.load(kept[0]).shape[-1]) if self.value == "shape" else self.value


def answer_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int | None = None, **outside: object
) -> dict:
    package = ModuleType("frechet_audio_distance")
    package.FrechetAudioDistance = type("Theirs", (Scored,), outside)
    monkeypatch.setitem(sys.modules, package.__name__, package)
    request = {
        "kind": "frechet",
        "arguments": {},
        "background": "a",
        "generated": [f"{tmp_path}/b"],
        "width": width,
    }
    return asked(tmp_path, request)


def asked(tmp_path: Path, request: dict) -> dict:
    (tmp_path / "request.json").write_text(json.dumps(request))
    worker.main(str(tmp_path / "request.json"), str(tmp_path / "answer.json"))
    return json.loads((tmp_path / "answer.json").read_text())


def test_a_figure(tmp_path, monkeypatch):
    assert answer_of(tmp_path, monkeypatch) == {"values": [2.5]}


def test_minus_one_is_a_failure_with_its_reason(tmp_path, monkeypatch):
    said = "[Frechet Audio Distance] An error occurred: no such file\n"
    assert (
        "An error occurred: no such file" in answer_of(tmp_path, monkeypatch, said=said, value=-1)["problem"]
    )
    assert "returned -1" in answer_of(tmp_path, monkeypatch, value=-1)["problem"]


def test_a_figure_of_only_some_sounds_is_a_failure(tmp_path, monkeypatch):
    said = "[Frechet Audio Distance] get_embeddings throw an exception: too short\n"
    assert "too short" in answer_of(tmp_path, monkeypatch, said=said)["problem"]


def test_embeddings_that_were_joined_are_read_as_rows(tmp_path, monkeypatch):
    assert answer_of(tmp_path, monkeypatch, width=4, value="shape") == {"values": [4.0]}


def test_a_package_that_cannot_be_imported(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "laion_clap", None)
    found = asked(tmp_path, {"kind": "clap"})
    assert found["is_import"] and "laion_clap" in found["problem"]
