"""Text-to-music: what is composed for LP-MusicCaps, MusicCaps and the embedded music."""

from pathlib import Path

import pytest
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.build import build
from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.configuration.schema import compose, to_plain
from evaluation.features.laion import CHECKPOINTS, LaionClap
from evaluation.run import SECTIONS, checked

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(autouse=True)
def _fresh_hydra() -> None:
    GlobalHydra.instance().clear()


def composed(*overrides: str) -> dict:
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return checked(to_plain(hydra_compose("evaluate", list(overrides)), SECTIONS))


@pytest.mark.parametrize("dataset", ["lp_musiccaps", "musiccaps"])
def test_the_papers_scale_trains_on_music(dataset: str) -> None:
    """The very networks and steps of text-to-audio: section 4 of the paper changes the data only."""
    music, audio = (compose(["profile=paper", f"dataset={name}"]) for name in (dataset, "audiocaps"))
    different = {section for section in audio if music[section] != audio[section]}
    assert different <= {"dataset"}
    assert build(music["dataset"], "dataset").name == dataset


def test_musiccaps_is_scored_by_the_papers_measures_with_the_music_checkpoint() -> None:
    cfg = composed("dataset=musiccaps")
    assert list(cfg["metrics"]) == ["fad_vggish", "kl_panns", "clap_music_audioset"]
    heard = cfg["features"][cfg["metrics"]["clap_music_audioset"]["extractor"]]
    assert heard["_target_"] == f"{LaionClap.__module__}.{LaionClap.__qualname__}"
    assert heard["checkpoint"] == "music_audioset_epoch_15_esc_90.14"
    assert CHECKPOINTS[heard["checkpoint"]][1] == "HTSAT-base"  # as all music checkpoints
    assert cfg["metrics"]["kl_panns"]["kind"] == "softmax"
    GlobalHydra.instance().clear()
    more = composed("dataset=musiccaps", "metrics=[music,clap_music_speech_audioset]")["metrics"]
    assert list(more) == [*cfg["metrics"], "clap_music_speech_audioset"]


def test_the_embedded_music_is_scored_by_what_its_captions_state() -> None:
    cfg = composed("dataset=foley_music")
    assert (cfg["protocol"]["name"], cfg["protocol"]["split"]) == ("replica", "test")
    assert {"hit_rate", "event_recall", "clap_embedded"} <= set(cfg["metrics"])
    assert not {"count_accuracy", "order_accuracy"} & set(cfg["metrics"])
