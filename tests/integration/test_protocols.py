"""Every published protocol on its corpus as published: a few clips, networks with random weights, all figures."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from packages import needs_package
from transformers import BertConfig

sys.path.append(str(Path(__file__).parents[1] / "unit/evaluation/features"))  # of clap_files

from audiolcm.configuration.resolvers import register_resolvers
from audiolcm.data.tables import read_table
from evaluation.run import evaluate

ROOT = Path(__file__).resolve().parents[2]
LISTS = ROOT / "evaluation/lists"
CLIPS, SECONDS = 12, 2.0
PROTOCOLS = sorted(
    path.stem for path in (ROOT / "conf/protocol").glob("*.yaml") if "table:" in path.read_text()
)
OWN = {
    name: yaml.safe_load((ROOT / f"conf/protocol/{name}.yaml").read_text())["protocol"]["num_items"]
    for name in PROTOCOLS
}
"""Captions of the whole list."""
CLAP = ("laion_630k_audioset", "laion_music_audioset", "laion_music_audioset_float")
BERT = BertConfig(
    vocab_size=40, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
)
COUNTS = {
    "audiolcm_900x5": (2 * CLIPS, CLIPS),
    "stable_audio_4875": (2 * CLIPS + 1, CLIPS + 1),
}  # captions and clips
CAPTIONS = ("a dog barks", "the rain falls", "birds sing far", "cat", "rain on the roof")


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writerows([columns, *rows])


def write_sound(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, round(SECONDS * 16000)), 16000)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AudioCaps, Clotho and MusicCaps with their published tables, and MusicCaps' released list."""
    root = tmp_path_factory.mktemp("corpora")
    rows, left_out = [], read_table(LISTS / "audiocaps_left_out.csv")[0]["youtube_id"]
    chosen = [
        row for row in read_table(LISTS / "audiocaps_one_caption.csv") if row["consistencytta_882"] == "1"
    ]
    for number in range(CLIPS):
        name = f"id_{number:08d}"
        write_sound(root / f"audiocaps/test/{name}_30.wav", number)
        rows.append((9_000_000 + number, name, 30, "a cat"))
        rows.append((chosen[number]["audiocap_id"], name, 30, CAPTIONS[number % 5]))
    write_sound(root / f"audiocaps/test/{left_out}_0.wav", 90)
    rows.append((9_100_000, left_out, 0, "a clip that the released list lacks"))
    write_table(root / "audiocaps/test.csv", ["audiocap_id", "youtube_id", "start_time", "caption"], rows)
    names = [f"Rain.gutter, {number}.wav" for number in range(CLIPS)]
    for number, name in enumerate(names):
        write_sound(root / "clotho/evaluation" / name, 20 + number)
        write_sound(root / f"musiccaps/ytid-{number:06d}.wav", 40 + number)
    write_table(
        root / "clotho/clotho_captions_evaluation.csv",
        ["file_name", *(f"caption_{number}" for number in range(1, 6))],
        [(name, *CAPTIONS) for name in names],
    )
    music = [(f"ytid-{number:06d}", CAPTIONS[number % 5], number) for number in range(CLIPS)]
    write_table(
        root / "musiccaps/musiccaps-public.csv",
        ["ytid", "start_s", "end_s", "aspect_list", "caption", "author_id", "is_audioset_eval"],
        [(name, 30, 40, "['slow']", caption, 4, number % 2 == 0) for name, caption, number in music],
    )
    write_table(
        root / "musiccaps/musiccap.tsv",
        ["name", "dataset", "ori_cap", "audio_path", "mel_path", "caption", "duration"],
        [(name, "musiccap", text, f"data/{name}.wav", "", "<music& all>", 10.0) for name, text, _ in music],
    )
    return root


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Overrides that name files of random weights in the published layouts; text halves are tiny."""
    needs_package("laion_clap")
    from clap_files import BERT_TOKENS, randomize, save_laion, save_tokenizer

    from evaluation.features.msclap import MsClapNetwork
    from evaluation.features.panns import SETTINGS_16K, Cnn14
    from evaluation.features.vggish import VggishNetwork

    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    torch.save(VggishNetwork().state_dict(), folder / "vggish.pth")
    torch.save({"model": randomize(Cnn14(SETTINGS_16K)).state_dict()}, folder / "panns.pth")
    BERT.save_pretrained(folder / "bert")
    save_tokenizer(folder / "bert", BERT_TOKENS, start="[CLS]", end="[SEP]", pad="[PAD]", unk="[UNK]")
    torch.save({"model": randomize(MsClapNetwork(BERT)).state_dict()}, folder / "msclap.pth")
    laion = save_laion(folder)
    sizes = ",".join(f"{name}:{value}" for name, value in laion.text_sizes.items())
    words = [
        f"features.vggish.weights={folder}/vggish.pth",
        f"features.panns_16k.weights={folder}/panns.pth",
        f"features.msclap_2022.weights={folder}/msclap.pth",
        f"features.msclap_2022.bert={folder}/bert",
        "+features.msclap_2022.min_vocabulary=20",
        f"features.laion_630k_audioset.tokenizer={laion.tokenizer}",
    ]
    for name in CLAP:  # one small audio half stands for all
        words += [
            f"features.{name}.checkpoint=630k-audioset-best",
            f"features.{name}.weights={laion.weights}",
        ]
        words += [f"+features.{name}.text_sizes={{{sizes}}}", f"+features.{name}.min_vocabulary=20"]
    yield words
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: what was heard of a sound is not heard again."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_published_protocol_gives_its_figures(
    name: str,
    corpora: Path,
    networks: list[str],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    captions, clips = COUNTS.get(name, (CLIPS, CLIPS))
    dataset = {"clotho": "clotho", "musiccaps": "musiccaps"}.get(name.partition("_")[0], "audiocaps")
    monkeypatch.setenv("AUDIOLCM_DATA", str(corpora))
    GlobalHydra.instance().clear()
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(ROOT / "conf")):
        cfg = compose("evaluate", [
            f"dataset={dataset}", f"protocol={name}", "system=white_noise", f"protocol.num_items={captions}",
            f"protocol.num_references={clips}", f"protocol.seconds={SECONDS}", "allow=[few_clips]", "num_resamples=0",
            f"paths.cache={cache}", f"paths.runs={tmp_path}", f"paths.artifacts={tmp_path}", "logger=jsonl",
            "report_clips=1", "hardware=cpu_float32", *networks,
        ])  # fmt: skip
    evaluate(cfg, tmp_path)
    record = json.loads((tmp_path / "metrics.json").read_text())
    figures = {score["key"]: score["value"] for score in record["row"]["scores"]}
    assert list(figures) == list(cfg.metrics) and np.isfinite(list(figures.values())).all()
    assert (record["protocol"]["name"], len(record["clips"])) == (f"{name} (partial, changed)", captions)
    assert record["protocol"]["is_subset"]  # of a list that is said to have so many captions
    told = f"(partial: {captions} of {OWN[name]} captions; changed: seconds)"
    for file in ("report.html", "metrics.md", "metrics.csv", "metrics.tex"):
        assert told in (tmp_path / file).read_text()


def test_clotho_as_published_is_scored_as_typed(corpora: Path, networks: list[str], tmp_path: Path) -> None:
    """Only what the few clips need is said besides ``dataset=clotho``: AUDIOLCM_DATA tells where it lies."""
    words = ["dataset=clotho", "system=reference", "metrics=fad_vggish", "protocol.num_items=null"]
    words += [
        f"protocol.num_references={CLIPS}",
        f"protocol.seconds={SECONDS}",
        "allow=[few_clips]",
        networks[0],
    ]
    environment = os.environ | {"AUDIOLCM_DATA": str(corpora), "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), *words, "hydra.run.dir=out", "logger=jsonl"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    record = json.loads((tmp_path / "out/metrics.json").read_text())
    assert record["row"]["scores"][0]["value"] == pytest.approx(0.0, abs=1e-3)
    assert {clip["caption"] for clip in record["clips"]} == {CAPTIONS[0]}  # the first of the five
    assert any("clotho_captions_evaluation.csv" in note for note in record["notes"])
    assert record["protocol"]["is_subset"]  # a list of any length is not the protocol's
