"""The packages' own classes end to end beside ours, with random weights; what is said where they give no figure."""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from packages import needs_package

from evaluation.crosscheck import run
from evaluation.crosscheck.run import crosschecked
from evaluation.features.store import FeatureStore
from evaluation.measures.pairs import ClapScore, Divergence
from evaluation.measures.sets import FrechetDistance
from evaluation.record import Crosscheck, Score
from evaluation.sound import SoundReader
from evaluation.trial import Extractors, Measure, Trial

Check = Callable[..., tuple[dict[str, Crosscheck], tuple[str, ...]]]
VGGISH = "evaluation.features.vggish.Vggish"


@pytest.fixture
def check(trial: Trial, tmp_path: Path) -> Check:
    """Score a trial and crosscheck every score."""

    def both(
        nodes: Mapping[str, dict], measures: Mapping[str, Measure], **changed: object
    ) -> tuple[dict[str, Crosscheck], tuple[str, ...]]:
        heard = dataclasses.replace(trial, **changed)
        extractors = Extractors(nodes, FeatureStore(tmp_path / "features"), lambda: None)
        scores = [measure.score(key, heard, extractors) for key, measure in measures.items()]
        extractors = {key: extractors[measure.extractor] for key, measure in measures.items()}
        found, notes = crosschecked(scores, measures, extractors, nodes, heard, tmp_path)
        assert [one.ours for one in found] == [score.value for score in scores][: len(found)]
        assert not list(tmp_path.glob("crosscheck-*")), "files for the packages are left behind"
        return {one.key: one for one in found}, notes

    return both


def few(trial: Trial, count: int) -> dict[str, tuple]:
    return {
        "items": trial.items[:count],
        "sounds": (trial.sounds[0][:count],),
        "references": trial.references[:count],
    }


def test_fad_is_that_of_frechet_audio_distance(check: Check, vggish_weights: Path) -> None:
    needs_package("frechet_audio_distance")
    nodes = {"vggish": {"_target_": VGGISH, "weights": str(vggish_weights)}}
    found, notes = check(nodes, {"fad_vggish": FrechetDistance("vggish", 0, 0)})
    one = found["fad_vggish"]
    assert one.package == "frechet-audio-distance" and not one.problem and not notes
    assert one.theirs > 1, "with a distance near 0 every error is large"
    assert one.relative < 1e-6 and one.difference == one.ours - one.theirs


def test_clap_score_is_that_of_clap_module(check: Check, trial: Trial, laion_node: dict) -> None:
    as_librosa = few(trial, 3) | {"reader": SoundReader(resampler="soxr")}
    found, notes = check({"laion": laion_node}, {"clap": ClapScore("laion", 0, 0)}, **as_librosa)
    one = found["clap"]
    assert one.package == "laion-clap" and not one.problem and not notes
    assert abs(one.theirs) > 1e-4 and abs(one.difference) < 1e-6


@pytest.mark.slow
def test_fad_of_clap_is_that_of_frechet_audio_distance(check: Check, trial: Trial, laion_node: dict) -> None:
    needs_package("frechet_audio_distance")
    nodes = {"rounded": laion_node, "float": laion_node | {"quantize": False}}
    measures = {name: FrechetDistance(name, 0, 0) for name in nodes}
    found, _ = check(nodes, measures, **few(trial, 6))
    assert found["float"].relative < 1e-5  # fewer rows than features: their root is less exact
    assert "ours rounds samples to 16 bits, theirs does not" in found["rounded"].notes


@pytest.mark.slow
def test_fd_of_panns_is_that_of_frechet_audio_distance(check: Check, trial: Trial, tmp_path: Path) -> None:
    needs_package("frechet_audio_distance")
    from evaluation.features.panns import SETTINGS_16K, Cnn14

    torch.manual_seed(0)
    torch.save({"model": Cnn14(SETTINGS_16K).state_dict()}, tmp_path / "panns.pth")
    nodes = {
        "panns": {"_target_": "evaluation.features.panns.Panns16k", "weights": str(tmp_path / "panns.pth")}
    }
    found, _ = check(nodes, {"fd_panns": FrechetDistance("panns", 0, 0, label="FD")}, **few(trial, 6))
    assert not found["fd_panns"].problem
    assert found["fd_panns"].difference == pytest.approx(0.0, abs=1e-4 * found["fd_panns"].theirs)


class Heard:
    """A network that no package has."""

    name, identity, sample_rate, is_embedded = "embedded", "0", 16000, True


def crosscheck_of(measures: dict[str, Measure], extractor: object, trial: Trial, tmp_path: Path) -> tuple:
    scores = [Score(key, key, 1.0, "lower") for key in measures]
    nodes = {"network": {"_target_": VGGISH, "weights": str(tmp_path / "weights.pth")}}
    return crosschecked(scores, measures, dict.fromkeys(measures, extractor), nodes, trial, tmp_path)


def test_nothing_to_check_is_said(trial: Trial, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    measures = {"fad_embedded": FrechetDistance("network", 0, 0), "kl": Divergence("network", 0, 0)}
    found, (note,) = crosscheck_of(measures, Heard(), trial, tmp_path)
    assert found == ()
    assert note.startswith("Crosscheck: no class of laion-clap or frechet-audio-distance computes any")
    assert note in caplog.text


@pytest.fixture
def bare_vggish() -> object:
    """A Vggish without weights, for what needs none."""
    from evaluation.features.vggish import Vggish

    return object.__new__(Vggish)


@pytest.mark.parametrize(
    ("python", "advice"),
    [((3, 12), "pip install -c constraints.txt"), ((3, 13), "NumPy 1[\\s\\S]*3.11 or 3.12")],
)
def test_missing_packages_are_one_message(
    trial: Trial, tmp_path: Path, bare_vggish: object, python: tuple[int, int], advice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(run, "_LEFT_OUT_FROM", (3, 99) if python < (3, 13) else (3, 0))
    measures = {key: FrechetDistance("network", 0, 0) for key in ("fad_vggish", "fad_again")}
    found, (note,) = crosscheck_of(measures, bare_vggish, trial, tmp_path)
    assert [(one.theirs, one.difference) for one in found] == [(None, None)] * 2
    assert "not installed" in found[0].problem and "none by frechet-audio-distance" in found[0].sentence()
    assert re.search(advice, note)


def test_a_process_that_dies_ends_nothing(
    trial: Trial, tmp_path: Path, bare_vggish: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker.py").write_text("import sys\nsys.exit('killed for memory')\n")
    (tmp_path / "weights.pth").write_bytes(b"PK weights")
    monkeypatch.setattr(run.worker, "__file__", str(tmp_path / "worker.py"))
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _name: sys)
    found, notes = crosscheck_of(
        {"fad_vggish": FrechetDistance("network", 0, 0)}, bare_vggish, trial, tmp_path
    )
    assert found[0].problem == "its process ended with 1: killed for memory" and not notes


def test_files_that_cannot_be_made_end_nothing(
    trial: Trial, tmp_path: Path, bare_vggish: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _name: sys)
    found, _ = crosscheck_of({"fad_vggish": FrechetDistance("network", 0, 0)}, bare_vggish, trial, tmp_path)
    assert found[0].theirs is None and "There is no file" in found[0].problem
