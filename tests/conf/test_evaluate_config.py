"""The configuration of evaluate.py: every option of every group, protocols by data set, lists of metrics."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from audiolcm.configuration.build import build
from audiolcm.configuration.resolvers import assuming_at_hand, register_resolvers
from audiolcm.configuration.schema import to_plain
from audiolcm.errors import UserError
from evaluation.protocol import Protocol
from evaluation.run import SECTIONS, checked

CONF = Path(__file__).resolve().parents[2] / "conf"
GROUPS = ("protocol", "system", "metrics", "features", "evaluator", "efficiency", "dataset")
OPTIONS = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
# Captions and reference clips of each published list, as its protocol states them.
LISTS = {
    "audiolcm_900x5": ("audiocaps", 4500, 900),
    "tango_886": ("audiocaps", 886, 886),
    "consistencytta_882": ("audiocaps", 882, 882),
    "audioldm_964": ("audiocaps", 964, 964),
    "clotho_eval": ("clotho", 1045, 1045),
    "musiccaps_5405": ("musiccaps", 5405, 5405),
    "stable_audio_4875": ("audiocaps", 4875, 975),
}
# The list that a protocol reads, a file of tests/data in the same format, and its column of clips.
FILES = {
    "audiolcm_900x5": ("audiocaps_test.tsv", "audiocaps_test.tsv", "name"),
    "tango_886": ("audiocaps_tango_886.tsv", "audiocaps_tango_886.tsv", "youtube_id"),
    "consistencytta_882": ("audiocaps_consistencytta_882.tsv", "audiocaps_tango_886.tsv", "youtube_id"),
    "audioldm_964": ("audiocaps_audioldm_964.tsv", "audiocaps_tango_886.tsv", "youtube_id"),
    "clotho_eval": ("clotho_evaluation.tsv", "clotho_evaluation.tsv", "name"),
    "musiccaps_5405": ("musiccaps.tsv", "musiccaps.tsv", "name"),
    "stable_audio_4875": ("audiocaps_official_test.csv", "audiocaps_official_test.csv", "youtube_id"),
}


def test_yamnet_listens_wherever_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOLCM_WEIGHTS", str(tmp_path))
    heard = {}
    for there in (False, True):
        if there:
            (tmp_path / "yamnet.tflite").touch()
        heard[there] = {
            name: set(composed(f"dataset={name}")["metrics"]) for name in ("foley", "esc10", "clotho")
        }
    assert "fad_embedded" in heard[False]["esc10"] and "fad_embedded" in heard[False]["foley"]
    assert heard[True]["esc10"] == set(composed("metrics=yamnet")["metrics"])
    assert heard[True]["foley"] == heard[True]["esc10"] | {"event_recall", "count_accuracy", "order_accuracy"}
    assert heard[True]["clotho"] == heard[False]["clotho"]
    with assuming_at_hand(False):
        assert set(composed("dataset=esc10")["metrics"]) == heard[False]["esc10"]
    assert set(composed("dataset=esc10", "metrics=[is_embedded]")["metrics"]) == {"is_embedded"}


def composed(*overrides: str) -> dict:
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return checked(to_plain(compose("evaluate", list(overrides)), SECTIONS))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_passes_the_check(group: str, option: str) -> None:
    path = ["path=here"] if option == "folder" else []
    composed(f"{group}={option}", *path)


@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [
        ("audiocaps", "audiolcm_900x5"), ("clotho", "clotho_eval"), ("musiccaps", "musiccaps_5521"),
        ("foley", "replica"), ("esc10", "replica"), ("manifest", "replica"),
    ],
)  # fmt: skip
def test_the_data_set_names_the_protocol(dataset: str, protocol: str) -> None:
    assert composed(f"dataset={dataset}")["protocol"]["name"] == protocol


def test_make_an_audio_2_is_sampled_as_its_readme_says() -> None:
    """Scale 4 is omega 3; 100 steps of DDIM, at the timesteps of its code."""
    system = composed("system=make_an_audio2")["system"]
    assert {name: system[name] for name in ("num_steps", "omega", "kind", "spacing", "eta")} == {
        "num_steps": 100, "omega": 3.0, "kind": None, "spacing": "released", "eta": None,
    }  # fmt: skip


def test_settings_of_a_teachers_sampler_reach_it() -> None:
    typed = {"kind": "ddim", "spacing": "released", "eta": 1.0}
    system = composed("system=teacher", *(f"sampler.{name}={value}" for name, value in typed.items()))[
        "system"
    ]
    assert {name: system[name] for name in typed} == typed


def test_protocol_and_metrics_can_be_chosen() -> None:
    assert composed("dataset=audiocaps", "protocol=tango_886")["protocol"]["name"] == "tango_886"
    assert list(composed("metrics=[kl_panns,fad_vggish]")["metrics"]) == ["kl_panns", "fad_vggish"]
    assert list(composed("metrics=is_panns")["metrics"]) == ["is_panns"]
    everything = composed("metrics=[tango,kad_panns]")["metrics"]
    assert list(everything)[-1] == "kad_panns" and len(everything) == 6


def check_list(name: str, folder: Path, cache: Path) -> None:
    dataset, num_items, num_references = LISTS[name]
    cfg = composed(f"dataset={dataset}", f"protocol={name}", f"dataset.root={folder}")
    protocol: Protocol = build(cfg["protocol"], "protocol")
    assert (protocol.num_items, protocol.num_references) == (num_items, num_references)
    test_set = protocol.test_set(cfg["dataset"], cache)
    assert (len(test_set.items), len(test_set.references)) == (num_items, num_references)
    assert len({item.name for item in test_set.items}) == num_items
    assert all(item.clip.caption and item.clip.structured_caption for item in test_set.items)


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_the_counts_of_their_protocols_are_taken(name: str, captions: Path, tmp_path: Path) -> None:
    """Rows as published, their clips under other names until there are as many as the protocol says."""
    _, num_items, num_references = LISTS[name]
    file, example, key = FILES[name]
    head, row = (captions / example).read_text(encoding="utf-8").splitlines()[:2]
    delimiter = "," if file.endswith(".csv") else "\t"
    clip = row.split(delimiter)[head.split(delimiter).index(key)].removesuffix(".wav")
    rows = [row.replace(clip, f"{clip[:-4]}{number % num_references:04}") for number in range(num_items)]
    (tmp_path / file).write_text("\n".join([head, *rows]), encoding="utf-8")
    check_list(name, tmp_path, tmp_path / "cache")


@pytest.mark.parametrize("name", LISTS)
def test_published_lists_have_the_counts_of_their_protocols(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    check_list(name, shared_data / "captions", tmp_path)


@pytest.mark.parametrize("name", ["audiolcm_900x5", "audioldm_964", "tango_886", "consistencytta_882"])
def test_lists_made_of_the_published_table_are_the_lists_themselves(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    lists = shared_data / "captions"
    cfg = composed("dataset=audiocaps", f"protocol={name}", f"dataset.root={lists}")
    own = build(cfg["protocol"], "protocol").test_set(cfg["dataset"], tmp_path)
    (tmp_path / "test.csv").symlink_to(lists / "audiocaps_official_test.csv")
    published = build(cfg["protocol"] | {"captions": str(tmp_path)}, "protocol").test_set(
        cfg["dataset"], tmp_path
    )
    assert [(i.name, i.clip.caption) for i in published.items] == [
        (i.name, i.clip.caption) for i in own.items
    ]


def test_standing_folders_of_corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDIOLCM_DATA", raising=False)
    assert composed("dataset=clotho")["dataset"]["root"] is None
    (tmp_path / "corpora").mkdir()
    assert composed("dataset=clotho")["dataset"]["root"] == "corpora/clotho"
    monkeypatch.setenv("AUDIOLCM_DATA", "/data")
    assert composed("dataset=clotho")["dataset"]["root"] == "/data/clotho"
    assert composed("dataset=clotho", "dataset.root=/mine")["dataset"]["root"] == "/mine"
    assert composed("dataset=esc10_fold4")["dataset"]["root"] == "/data/esc10"
    mix = composed("dataset=audiolcm_mix")["dataset"]
    assert mix["root"] == "/data" and {corpus["root"] for corpus in mix["corpora"].values()} == {None}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds=[]", "seeds"), ("seeds=[0,0]", "different seeds"), ("seeds=[a]", "whole number"),
        ("num_resamples=-1", "num_resamples"),
        ("seeds=0", r"seeds=\[0\]"),
        ("allow=few_clips", r"allow=\[few_clips\]"),
        ("num_clips=1.5", "num_clips"),
        ("metrics=[]", "metrics"), ("allow=[stero]", "stero"), ("+sanity=3", "sanity"),
        ("+sampler.steps=2", "num_steps, omega"), ("+sanitty=true", "Did you mean 'sanity'"),
        ("system.checkpont=x", "checkpont|Could not override"),
    ],
)  # fmt: skip
def test_mistakes_are_told(override: str, message: str) -> None:
    from hydra.errors import HydraException

    with pytest.raises((UserError, HydraException), match=message):
        composed(override)
