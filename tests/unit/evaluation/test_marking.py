"""A protocol that was not followed whole says so wherever its title or name is shown."""

import csv
import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from records import make_record

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.training.wandb_service import WandbTracker
from evaluation.marking import marked, marks
from evaluation.report.wandb_tables import log_record
from evaluation.run import evaluate
from evaluation.tables.formats import console, write_tables

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = (
    "audiolcm_900x5", "audioldm_964", "clotho_eval", "consistencytta_882", "musiccaps_5405", "musiccaps_5521",
    "stable_audio_4875", "tango_886",
)  # fmt: skip
OWN = {
    name: yaml.safe_load((ROOT / f"conf/protocol/{name}.yaml").read_text())["protocol"]
    for name in ("audiolcm_900x5", "tango_886")
}


@pytest.mark.parametrize(
    ("name", "changes", "count", "whole", "expected"),
    [
        ("audiolcm_900x5", {}, 4500, 4500, {}),
        ("audiolcm_900x5", {"captions": "/lists"}, 4500, 4500, {}),  # where the list lies
        ("audiolcm_900x5", {"num_items": 12, "num_references": 12}, 12, 12, {"partial": "12 of 4500 captions"}),
        ("audiolcm_900x5", {"num_items": None}, 12, 12, {"partial": "12 of 4500 captions"}),
        ("audiolcm_900x5", {"num_items": None}, 4500, 4500, {"unchecked": "any list, here of 4500 captions"}),
        ("audiolcm_900x5", {"num_items": 5000}, 5000, 5000, {"changed": "num_items"}),
        ("audiolcm_900x5", {}, 20, 4500, {"partial": "20 of 4500 captions"}),  # num_clips=20
        ("tango_886", {"seconds": 5.0, "readers": None}, 886, 886, {"changed": "readers, seconds"}),
        ("tango_886", {"num_items": 3, "split": "train"}, 3, 3,
         {"partial": "3 of 886 captions", "changed": "split"}),
    ],
)  # fmt: skip
def test_marks_of_published_protocols(
    name: str, changes: dict, count: int, whole: int, expected: dict[str, str]
) -> None:
    assert marks(OWN[name] | changes, count, whole) == expected


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_protocol_as_it_is_composed_bears_no_mark(name: str) -> None:
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
        settings = OmegaConf.to_container(compose("evaluate", [f"protocol={name}"]).protocol, resolve=True)
    assert marks(settings, settings["num_items"], settings["num_items"]) == {}


def test_another_name_beside_a_published_title_hides_nothing() -> None:
    mine = OWN["audiolcm_900x5"] | {"name": "mine", "num_items": 12, "seconds": 1.0}
    assert marks(mine, 12, 12) == {"partial": "12 of 4500 captions", "changed": "seconds"}


def test_marks_of_other_protocols() -> None:
    mine = {"name": "mine", "title": "Mine", "num_items": 12}
    assert marks(mine, 12, 12) == {} == marks({"name": "replica", "is_published": False}, 80, 80)
    assert marks(mine, 5, 12) == {"partial": "5 of 12 captions"}
    assert marks({"name": "replica", "is_published": False}, 5, 80) == {"partial": "5 of 80 captions"}
    assert marks({"name": "../dataset/esc10"}, 5, 5) == {"unchecked": "any list, here of 5 captions"}


def test_a_whole_protocol_is_told_as_ever() -> None:
    assert marked({"name": "mine", "title": "Mine"}, {}) == {
        "name": "mine",
        "title": "Mine",
        "is_subset": False,
    }


TITLE = "AudioCaps, 900 clips x 5 captions (AudioLCM, Make-An-Audio 2) (partial: 12 of 4500 captions; changed: seconds)"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an evaluation under audiolcm_900x5 with a list of 12 captions that is said to be whole."""
    corpus, folder = tmp_path_factory.mktemp("audiocaps"), tmp_path_factory.mktemp("run")
    (corpus / "test").mkdir()
    with (corpus / "test.csv").open("w", newline="") as file:
        rows = [(900 + i, f"id_{i:08d}", 30, f"a dog barks {i} times") for i in range(12)]
        csv.writer(file).writerows([("audiocap_id", "youtube_id", "start_time", "caption"), *rows])
    for _, name, start, _ in rows:
        noise = np.random.default_rng(start).normal(0, 0.1, 16000)
        soundfile.write(corpus / f"test/{name}_{start}.wav", noise, 16000)
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
        cfg = compose("evaluate", [
            "dataset=audiocaps", f"dataset.root={corpus}", "system=white_noise", "metrics=frame_deviation",
            "protocol.num_items=12", "protocol.num_references=12", "protocol.seconds=1.0", "num_resamples=0",
            f"paths.cache={folder}/cache", "logger=jsonl", "report_clips=1", "hardware=cpu_float32",
        ])  # fmt: skip
    evaluate(cfg, folder)
    return folder


def test_a_short_list_is_marked_wherever_the_title_shows(evaluated: Path) -> None:
    protocol = json.loads((evaluated / "metrics.json").read_text())["protocol"]
    assert (protocol["title"], protocol["name"]) == (TITLE, "audiolcm_900x5 (partial, changed)")
    assert protocol["is_subset"] and protocol["num_clips"] == 12
    for name in ("metrics.json", "metrics.md", "metrics.csv", "metrics.tex", "report.html"):
        text = html.unescape((evaluated / name).read_text())
        assert text.count("900 clips x 5 captions") == text.count(TITLE) > 0, name
        assert "Not the protocol's figures, partial: 12 of 4500 captions." in text or name == "metrics.csv"


def test_the_console_and_wandb_have_the_mark(tmp_path: Path) -> None:
    record = make_record(tmp_path, num_clips=2)
    record = replace(record, protocol=marked(record.protocol, {"partial": "2 of 80 captions"}))
    assert "test split (partial: 2 of 80 captions)" in console(write_tables([record], tmp_path), 100)
    seen = []

    class Seen(WandbTracker):
        def start(self, folder, name, identity, config, *args, **kwargs):
            seen.append(config["protocol"])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        log_record(record, tmp_path, Seen(project="test"))
    assert [found["name"] for found in seen] == ["replica (partial)"] and "(partial: " in seen[0]["title"]
