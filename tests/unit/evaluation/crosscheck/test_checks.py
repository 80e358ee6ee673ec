"""What a package is asked, and what is said of the ways in which ours hears the same files."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.crosscheck.checks import Check, checks, link_sounds, save_laion, save_panns
from evaluation.crosscheck.hub_vggish import HubVggish
from evaluation.features.laion import LaionClap
from evaluation.features.vggish import Vggish
from evaluation.measures.pairs import ClapScore
from evaluation.measures.sets import FrechetDistance, FrechetInfinity, KernelDistance
from evaluation.sound import SoundReader
from evaluation.trial import Trial


def bare(kind: type) -> object:
    return object.__new__(kind)


def notes(
    trial: Trial, kind: type, reader: SoundReader, node: dict | None = None, **clap: object
) -> tuple[str, ...]:
    measure = ClapScore("x", 0, 0, **clap) if clap else FrechetDistance("x", 0, 0)
    package = "laion-clap" if clap else "frechet-audio-distance"
    check = Check("key", measure, bare(kind), node or {}, package)
    return check.notes(dataclasses.replace(trial, reader=reader))


def test_what_packages_compute(trial: Trial) -> None:
    measures = {
        "fad": FrechetDistance("v", 0, 0), "infinity": FrechetInfinity("v", 0, 0), "kad": KernelDistance("v", 0, 0),
        "clap": ClapScore("l", 0, 0), "fad_clap": FrechetDistance("l", 0, 0),
    }  # fmt: skip
    kinds = {"v": bare(Vggish), "l": bare(LaionClap)}
    found = checks(measures, {key: kinds[m.extractor] for key, m in measures.items()}, {"v": {}, "l": {}})
    assert {check.key: check.package for check in found} == {
        "fad": "frechet-audio-distance", "fad_clap": "frechet-audio-distance", "clap": "laion-clap",
    }  # fmt: skip


def test_a_reader_that_is_theirs_needs_no_words(trial: Trial) -> None:
    assert notes(trial, Vggish, SoundReader(resampler="kaiser_best")) == ()


def test_every_other_way_of_hearing_is_told(trial: Trial) -> None:
    ours = SoundReader("first", True, "sinc_hann", min_seconds=2.0, max_seconds=9.0, peak=0.5)
    told = "; ".join(notes(trial, Vggish, ours))
    for words in (
        "takes the first, theirs the mean", "sinc_hann, theirs with kaiser_best", "constant part out", "peak of 0.5",
        "hears the first 9 s and fills up to 2 s with zeros",
    ):  # fmt: skip
        assert words in told
    tango = SoundReader(resampler="kaiser_best", int16=True, decimate=2, via=16000)
    told = notes(dataclasses.replace(trial, readers={"x": tango}), Vggish, SoundReader())
    assert told == (
        "ours takes every n-th sample where a file has n times the rate, n up to 2",
        "ours resamples to 16000 Hz first",
        "ours rounds samples down to 16 bits",
    )


def test_clap_of_files_and_of_tensors(trial: Trial) -> None:
    float_node = {"quantize": False, "crop": "start", "_target_": "x"}
    soxr = SoundReader()
    assert notes(trial, LaionClap, soxr, clamp=False) == (
        "over 10 s theirs hears a random part, ours: center",
    )
    assert "theirs rounds samples to 16 bits, ours does not" in notes(
        trial, LaionClap, soxr, float_node, clamp=True
    )
    fad = SoundReader(resampler="kaiser_best")
    assert "ours rounds samples to 16 bits, theirs does not" in notes(trial, LaionClap, fad)
    assert notes(trial, LaionClap, fad, float_node) == ("over 10 s theirs hears a random part, ours: start",)


def test_the_measures_own_reader_counts(trial: Trial) -> None:
    measure = ClapScore("x", 0, 0, reader=SoundReader(peak=0.5))
    told = Check("key", measure, bare(LaionClap), {}, "laion-clap").notes(trial)
    assert any("peak of 0.5" in note for note in told) and not any("kaiser" in note for note in told)


def test_exactly_the_scored_sounds_are_in_the_folder(trial: Trial, tmp_path: Path) -> None:
    (trial.references[0].parent / "stray.txt").write_text("not scored")
    folder = Path(link_sounds(tmp_path / "true", trial.references))
    assert [path.resolve() for path in sorted(folder.iterdir())] == [
        path.resolve() for path in trial.references
    ]
    (trial.references[0].parent / "stray.txt").unlink()


def test_a_checkpoint_for_their_unpickling_holds_tensors_alone(laion_node: dict, tmp_path: Path) -> None:
    save_laion(tmp_path, "copy.pt", Path(laion_node["weights"]), laion_node)
    stored = torch.load(tmp_path / "copy.pt", weights_only=True)
    assert "module.text_branch.embeddings.position_ids" in stored
    assert all(isinstance(value, torch.Tensor) for value in stored.values())
    (snapshot,) = (tmp_path / "huggingface/hub/models--roberta-base/snapshots").iterdir()
    assert json.loads((snapshot / "config.json").read_text())["num_hidden_layers"] == 1
    assert (snapshot / "tokenizer.json").is_file() and (snapshot / "model.safetensors").is_file()


def test_panns_without_what_training_left_beside_them(tmp_path: Path) -> None:
    stored = {"model": {"a": torch.ones(2)}, "sampler": {"pointer": 3}}
    torch.save(stored, tmp_path / "published.pth")
    save_panns(tmp_path / "models", "name.pth", tmp_path / "published.pth")
    assert list(torch.load(tmp_path / "models/name.pth", weights_only=True)) == ["model"]


def test_the_hubs_vggish_refuses_its_pca(vggish_weights: Path) -> None:
    with pytest.raises(ValueError, match="no PCA"):
        HubVggish(vggish_weights)(np.zeros(16000), 16000)
