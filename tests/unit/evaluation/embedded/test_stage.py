"""The evaluator trained for seconds on a tiny data set: an artifact, an extractor, a sound judge."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.build import build
from audiolcm.configuration.checking import check
from audiolcm.configuration.schema import register_resolvers, to_plain
from audiolcm.configuration.words import options_of
from audiolcm.data.preparing.prepare import prepare
from audiolcm.errors import UserError
from benchmarks.soundness.cases import SPOILINGS
from benchmarks.soundness.figures import Soundness
from benchmarks.soundness.job import SECTIONS, assess, true_sounds
from benchmarks.soundness.judges import embedded_judge, hits, with_other_captions
from benchmarks.soundness.spoiling import Spoiling
from evaluation.embedded.features import EmbeddedExtractor
from evaluation.embedded.stage import _runner, embedded_extractor
from evaluation.features.extractor import TextAudioExtractor

CONF = Path(__file__).resolve().parents[4] / "conf"
RATE = 16000
TINY = (
    "dataset.labels=[alarm,bell,dog,rain]", "dataset.num_train=48", "dataset.num_validation=8", "dataset.num_test=24",
    "dataset.duration=2.0", "dataset.max_duration=2.0", "evaluator.model.widths=[8,8,16,16]", "evaluator.model.width=8",
    "trainer.evaluator.steps=60", "trainer.evaluator.warmup_steps=5", "hardware=cpu_float32", "logger=jsonl",
)  # fmt: skip


def composed(folder: Path, *overrides: str) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    register_resolvers()
    paths = [f"paths.{name}={folder / name}" for name in ("artifacts", "cache", "runs")]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        plain = to_plain(compose("soundness", [*TINY, *paths, *overrides]), SECTIONS)
    check(plain)
    return plain


@pytest.fixture(scope="module")
def cfg(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return composed(tmp_path_factory.mktemp("evaluator"))


@pytest.fixture(scope="module")
def extractor(cfg: dict[str, Any]) -> EmbeddedExtractor:
    return embedded_extractor(cfg)


@pytest.fixture(scope="module")
def soundness(cfg: dict[str, Any], extractor: EmbeddedExtractor) -> Soundness:
    data = prepare(build(cfg["dataset"], "dataset"), Path(cfg["paths"]["cache"]))
    sounds = true_sounds(data.split("test"), data.duration)
    return Soundness([embedded_judge(extractor, sounds)], sounds, seed=0)


def waveforms(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [0.1 * rng.standard_normal(length).astype(np.float32) for length in lengths]


class TestArtifact:
    def test_it_is_trained_once(self, cfg, extractor):
        folder = extractor.artifact.folder
        assert folder.parent == Path(cfg["paths"]["artifacts"]) / "evaluator"
        assert folder.name == f"foley-{extractor.artifact.hash}"
        written = (folder / "model.safetensors").stat().st_mtime_ns
        again = embedded_extractor(cfg)
        assert again.identity == extractor.identity
        assert (folder / "model.safetensors").stat().st_mtime_ns == written

    def test_the_card_tells_how_it_did_on_clips_held_out(self, extractor):
        card = json.loads((extractor.artifact.folder / "card.json").read_text())
        assert 0 < card["figures"]["validation/accuracy"] <= 1
        assert set(extractor.about()["held_out"]) == {"accuracy", "retrieval", "frames"}

    def test_another_setting_is_another_artifact(self, cfg, extractor, tmp_path):
        paths = [f"paths.{name}={folder}" for name, folder in cfg["paths"].items()]
        other = embedded_extractor(composed(tmp_path, *paths, "trainer.evaluator.steps=1", "seed=1"))
        assert other.identity != extractor.identity and other.artifact.hash != extractor.artifact.hash

    def test_int8_is_judged_by_the_evaluator_of_bfloat16(self, tmp_path):
        rounded, small = (
            _runner(composed(tmp_path, "hardware=auto", f"hardware.precision={precision}"))
            for precision in ("bfloat16", "int8")
        )
        assert small.hardware == rounded.hardware

    def test_other_precisions_are_their_own(self, tmp_path):
        assert _runner(composed(tmp_path)).hardware.precision == "float32"


class TestExtractor:
    def test_it_is_an_extractor_of_sounds_and_captions(self, extractor):
        assert isinstance(extractor, TextAudioExtractor)
        assert (extractor.name, extractor.is_embedded, extractor.sample_rate) == ("embedded", True, RATE)
        assert len(extractor.identity) == 10 and int(extractor.identity, 16) >= 0

    def test_features_of_a_sound_are_its_own(self, extractor):
        """In company of other lengths, in another order, alone: the same, and in the order of the sounds."""
        sounds = waveforms(2 * RATE, 32345, RATE, 2 * RATE, 5 * RATE)
        together = extractor.extract(sounds)
        for sound, found in zip(sounds, together, strict=True):
            [alone] = extractor.extract([sound])
            frames = (len(sound) // 320 + 1) // 4
            assert {name: array.shape for name, array in alone.items()} == {
                "embedding": (frames // 12, 8), "logits": (4,), "joint": (1, 8), "frames": (frames, 4),
            }  # fmt: skip
            for name, array in alone.items():
                np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-4, err_msg=name)

    def test_frames_are_probabilities_and_joint_vectors_have_length_one(self, extractor):
        [found] = extractor.extract(waveforms(2 * RATE))
        assert found["frames"].min() >= 0 and found["frames"].max() <= 1
        captions = extractor.embed_captions(["A dog barks", "Rain falls", "A dog barks"])
        for vectors in (found["joint"], captions):
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
        np.testing.assert_allclose(captions[0], captions[2], rtol=1e-5)
        assert abs(captions[0] - captions[1]).max() > 0.01

    def test_a_sound_too_short_is_told(self, extractor):
        [found] = extractor.extract(waveforms(15040))
        assert found["embedding"].shape == (1, 8)
        with pytest.raises(UserError, match=r"15039 samples.*needs 15040 \(0.94 s\) or more"):
            extractor.extract(waveforms(2 * RATE, 15039))

    def test_no_sounds_no_features(self, extractor):
        assert extractor.extract([]) == []


@pytest.fixture
def few_ways(monkeypatch: pytest.MonkeyPatch) -> list[Spoiling]:
    """Two plain ways and two through the mel, of two levels each: all of them take minutes."""
    named = {way.name: way for way in SPOILINGS}
    names = ("low-pass", "swapped classes", "mel of few components", "Griffin-Lim")
    ways = [dataclasses.replace(named[name], levels=named[name].levels[::3]) for name in names]
    monkeypatch.setattr("benchmarks.soundness.job.SPOILINGS", ways)
    return ways


class TestSoundness:
    def test_it_learned(self, soundness, extractor):
        # Chance is 0.35: a third of the clips have two labels
        true = soundness.sounds
        assert hits(extractor, extractor.extract(true.waveforms), true).mean() > 0.5

    def test_true_sounds_are_at_no_distance_from_themselves(self, soundness):
        figures = soundness.figures(soundness.sounds.waveforms)
        assert figures["fad_embedded"] == pytest.approx(0.0, abs=1e-3)
        assert figures["kl_embedded"] == pytest.approx(0.0, abs=1e-4)

    @pytest.mark.parametrize("spoiling", SPOILINGS[:4], ids=lambda spoiling: spoiling.name)
    def test_the_worse_the_sounds_the_greater_the_distance(self, soundness, spoiling):
        distances = [figures["fad_embedded"] for figures in soundness.of(spoiling).values()]
        assert distances[0] > 1e-3
        if spoiling.name in ("white noise", "swapped classes"):
            assert all(a < b for a, b in pairwise(distances)), distances
        assert distances[-1] > 2 * distances[0]

    def test_other_captions_fit_worse(self, soundness, extractor):
        true = soundness.sounds
        own = soundness.figures(true.waveforms)["clap_embedded"]
        heard = extractor.extract(true.waveforms)
        assert with_other_captions(extractor, heard, true.captions) < own - 0.1

    def test_the_job_leaves_table_and_figures(self, cfg, extractor, few_ways, tmp_path):
        assess(cfg, tmp_path)
        text = (tmp_path / "soundness.md").read_text()
        content = json.loads((tmp_path / "soundness.json").read_text())
        assert "4 classes, on the 24 clips of split test" in text and "no published figure" in text
        names = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
        assert names[1 : 1 + len(content["rows"])] == [f"| {name}" for name in content["rows"]]
        assert len(content["rows"]) == 1 + sum(len(way.levels) for way in few_ways)
        assert set(content["is_monotone"]) == {way.name for way in few_ways if way.grows}
        columns = set(content["rows"]["true sounds"])
        assert {"fad_embedded", "hit_rate", "fad_texture", "frame_deviation", "fad_patches"} <= columns
        assert columns <= set(options_of("metrics"))
        assert content["agreement"] == {} and "features.yamnet.weights=PATH" in text
        assert {name: count for name, (_, count) in content["detection"].items()}["event recall"] == 24
        assert content["evaluator"]["identity"] == extractor.identity

    def test_yamnet_judges_the_judges(self, cfg, shared_data, few_ways, tmp_path):
        weights = {
            "yamnet": cfg["features"]["yamnet"] | {"weights": str(shared_data / "yamnet/yamnet.tflite")}
        }
        assess(cfg | {"features": weights}, tmp_path)
        content = json.loads((tmp_path / "soundness.json").read_text())
        assert {"fad_yamnet", "hits_yamnet"} <= set(content["rows"]["true sounds"])
        agreed = content["agreement"]
        assert set(agreed) == set(content["rows"]["true sounds"]) - {"fad_yamnet", "hits_yamnet"}
        assert agreed["fad_texture"]["overall"]["fad_yamnet"] > 0.3
        assert all(-1 <= found <= 1 for found in agreed["hit_rate"]["overall"].values())

    def test_an_empty_split_is_told(self, cfg, tmp_path):
        paths = [f"paths.{name}={folder}" for name, folder in cfg["paths"].items()]
        empty = composed(tmp_path, *paths, "dataset.num_test=0", "trainer.evaluator.steps=1")
        with pytest.raises(UserError, match="split test is empty: choose split=validation"):
            assess(empty, tmp_path)
