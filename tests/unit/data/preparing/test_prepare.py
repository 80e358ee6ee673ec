import csv
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from corpus_in_memory import CorpusInMemory, clip, corpus_of

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.data.corpora import Esc10, ManifestCorpus
from audiolcm.data.manifest import Clip
from audiolcm.data.manifest_tables import write_manifest
from audiolcm.data.preparing.make_shards import quantize
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.preparing.report import prepare_report
from audiolcm.data.store.prepared import PreparedData
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError

ROOT = Path(__file__).parents[4]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_waveforms_and_mels_are_those_of_the_corpus(tmp_path: Path) -> None:
    corpus = corpus_of(9)
    split = prepare(corpus, tmp_path, progress=False, sounds_per_shard=4).split("train")
    good = [clip for clip in corpus.clips("train") if clip.name != "unreadable"]
    # Captions, labels, events and durations too
    assert [replace(one, duration=round(one.duration, 6)) for one in good] == list(split.clips)
    for index, one in enumerate(good):
        expected = corpus.waveform(one)
        assert split.num_samples(index) == len(expected)
        assert split.num_frames(index) == len(expected) // 256
        assert np.abs(split.waveform(index) - expected).max() <= 0.5 / 32768 + 1e-7
        np.testing.assert_array_equal(split.waveform(index, 100, 200), split.waveform(index)[100:200])
        mel = MelSpectrogram()(torch.from_numpy(split.waveform(index))[None])[0].numpy()
        assert split.mel(index).dtype == np.float32
        assert np.abs(split.mel(index) - mel).max() < 0.0021  # float16 over [-5, 2.5]
        np.testing.assert_array_equal(split.mel(index, 3, 9), split.mel(index)[:, 3:9])


def test_silence_in_the_mel_is_exactly_minus_five(tmp_path: Path) -> None:
    sound = np.zeros(32000, np.float32)
    sound[:8000] = 0.5
    corpus = CorpusInMemory({"train": [clip("pause")]}, {"pause": sound})
    mel = prepare(corpus, tmp_path, progress=False).split("train").mel(0)
    assert (mel[:, 60:] == -5.0).all()
    assert mel[:, :20].max() > -1


def test_a_finished_preparation_returns_at_once(tmp_path: Path) -> None:
    corpus = corpus_of(6)
    first = prepare(corpus, tmp_path, progress=False)
    assert first.folder == tmp_path / f"memory-{first.fingerprint[:12]}"
    decoded, before = corpus.num_decoded, files(first.folder)
    started = time.monotonic()
    assert prepare(corpus, tmp_path, progress=False) == first == PreparedData.open(first.folder)
    assert time.monotonic() - started < 0.5
    assert corpus.num_decoded == decoded
    assert files(first.folder) == before


def test_result_does_not_depend_on_workers(tmp_path: Path) -> None:
    one = prepare(corpus_of(20), tmp_path / "1", workers=1, progress=False, sounds_per_shard=6)
    four = prepare(corpus_of(20), tmp_path / "4", workers=4, progress=False, sounds_per_shard=6)
    assert files(one.folder) == files(four.folder)


def test_splits_can_be_prepared_one_by_one(tmp_path: Path) -> None:
    prepared = prepare(corpus_of(5), tmp_path / "parts", ["validation"], progress=False)
    assert prepared.splits == ("validation",)
    with pytest.raises(UserError, match=r"train of memory is not prepared.*audiolcm prepare dataset=memory"):
        prepared.split("train")
    prepared = prepare(corpus_of(5), tmp_path / "parts", progress=False)
    whole = prepare(corpus_of(5), tmp_path / "whole", progress=False)
    assert files(prepared.folder) == files(whole.folder)
    assert len(prepared.bad_rows) == 1


SCRIPT = """
import sys
from audiolcm.data.preparing.prepare import prepare
from corpus_in_memory import corpus_of
prepare(corpus_of(20, seconds_per_sound=0.15), sys.argv[1], progress=False, sounds_per_shard=3)
"""


def test_killed_preparation_goes_on_and_equals_an_undisturbed_one(tmp_path: Path) -> None:
    whole = prepare(corpus_of(20), tmp_path / "whole", progress=False, sounds_per_shard=3)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parents[1])])
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "killed")], env=environment, cwd=ROOT
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "killed").glob("*/train/00001.json")):
        assert process.poll() is None, "the preparation ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder,) = (path for path in (tmp_path / "killed").iterdir() if path.is_dir())
    assert not (folder / "train" / "index.json").exists()
    corpus = corpus_of(20)
    resumed = prepare(corpus, tmp_path / "killed", progress=False, sounds_per_shard=3)
    assert corpus.num_decoded < 24, "shards that were whole were made again"
    assert files(resumed.folder) == files(whole.folder)


def write(path: Path, samples: np.ndarray, subtype: str = "PCM_16") -> None:
    soundfile.write(path, samples, 16000, subtype=subtype)


def make_bad_manifest(root: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 16000)
    write(root / "good.wav", noise)
    write(root / "loud.wav", 3 * noise / np.abs(noise).max(), "FLOAT")
    write(root / "short.wav", noise[:1000])
    write(root / "empty.wav", noise[:0])
    write(root / "silent.wav", 0 * noise)
    write(root / "nan.wav", np.where(np.arange(16000) == 500, np.nan, noise), "FLOAT")
    write(root / "integers.wav", 32767 * noise, "FLOAT")
    (root / "text.wav").write_text("no sound")
    (root / "half.wav").write_bytes((root / "good.wav").read_bytes()[:16000])
    rows = [
        ("good", "good.wav", "A sound", "train"),
        ("loud", "loud.wav", "A loud sound", "train"),
        ("gone", "gone.wav", "A sound", "train"),
        ("short", "short.wav", "A sound", "train"),
        ("empty", "empty.wav", "A sound", "train"),
        ("silent", "silent.wav", "A sound", "train"),
        ("nan", "nan.wav", "A sound", "train"),
        ("integers", "integers.wav", "A sound", "train"),
        ("text", "text.wav", "A sound", "train"),
        ("mute", "good.wav", " ", "train"),
        ("good", "loud.wav", "A sound", "train"),
        ("", "good.wav", "A sound", "train"),
        ("nowhere", "", "A sound", "train"),
        ("typo", "good.wav", "A sound", "trian"),
        ("second", "good.wav", "A sound again", "train"),
        ("half", "half.wav", "A sound", "train"),
    ]
    clips = [Clip(n, root / a if a else None, c, "", 0.0, s, ()) for n, a, c, s in rows]
    write_manifest(root / "manifest.tsv", clips)


def test_each_kind_of_bad_row_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    make_bad_manifest(tmp_path)
    prepared = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    split = prepared.split("train")
    assert [clip.name for clip in split.clips] == ["good", "loud", "second"]
    assert list(split.sounds) == [0, 1]
    assert list(split.sound_of_clip) == [0, 1, 0]  # one copy of a sound with two captions
    np.testing.assert_array_equal(split.waveform(0), split.waveform(2))
    reasons = {int(row["row"]): (row["name"], row["reason"]) for row in read_table(prepared.report_path)}
    expected = {
        4: ("gone", "not found"),
        5: ("short", "too short: 0.062 s"),
        6: ("empty", "empty"),
        7: ("silent", "silent"),
        8: ("nan", "NaN"),
        9: ("integers", "out of range"),
        10: ("text", "cannot be read"),
        11: ("mute", "caption is missing"),
        12: ("good", "'good' was used by an earlier row"),
        13: ("", "name is missing"),
        14: ("nowhere", "audio path is missing"),
        15: ("typo", "'trian' is unknown"),
        17: ("half", "cut off"),
    }
    assert reasons.keys() == expected.keys()
    for row, (name, words) in expected.items():
        assert reasons[row][0] == name
        assert words in reasons[row][1], reasons[row][1]
    assert len(prepared.bad_rows) == 13
    with prepared.report_path.open() as file:
        assert next(csv.reader(file, delimiter="\t")) == ["split", "row", "name", "reason"]
    text = prepare_report(prepared)
    assert "train: 3 clips of 2 sounds" in text
    assert "13 bad rows were left out" in text
    assert "Split validation is empty" in text
    assert str(prepared.report_path) in text


def test_a_sound_changed_in_the_middle_is_prepared_again(tmp_path: Path) -> None:
    make_bad_manifest(tmp_path)
    noise = np.random.default_rng(2).uniform(-0.3, 0.3, 400_000)
    write(tmp_path / "good.wav", noise)
    before = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    noise[150_000:151_000] = 0.0
    write(tmp_path / "good.wav", noise)
    after = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    assert after.fingerprint != before.fingerprint
    assert not after.split("train").waveform(0)[150_000:151_000].any()


def test_a_damaged_cache_is_noticed(tmp_path: Path) -> None:
    prepared = prepare(corpus_of(5), tmp_path, progress=False)
    path = prepared.folder / "train" / "00000.waveform.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{path.name} in {path.parent} is damaged.*--mend"):
        prepared.split("train")


def test_a_mended_file_is_taken_in(tmp_path: Path) -> None:
    make_bad_manifest(tmp_path)
    before = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    write(tmp_path / "gone.wav", np.random.default_rng(1).uniform(-0.3, 0.3, 16000))
    after = prepare(ManifestCorpus(str(tmp_path)), tmp_path / "cache", progress=False)
    assert after.fingerprint != before.fingerprint
    assert "gone" in [clip.name for clip in after.split("train").clips]


def test_sounds_above_full_scale_are_turned_down_not_clipped() -> None:
    wave = 3.0 * np.sin(np.arange(16000) / 7).astype(np.float32)
    stored = quantize(wave) / 32768
    assert np.abs(stored).max() <= 1.0
    np.testing.assert_allclose(stored, wave / np.abs(wave).max(), atol=1e-4)
    for peak in (0.25, 1.0):
        exact = np.array([-peak, 0.0, peak], np.float32)
        np.testing.assert_allclose(quantize(exact) / 32768, exact, atol=1.1 / 32768)


def test_an_empty_split_is_an_error_only_where_it_is_needed(tmp_path: Path) -> None:
    corpus = CorpusInMemory({"train": [clip("unreadable")], "validation": []})
    prepared = prepare(corpus, tmp_path, progress=False)
    assert len(prepared.split("test")) == 0
    with pytest.raises(UserError, match=r"Split train of memory holds no usable clip \(1 bad rows\)"):
        prepared.split("train")
    with pytest.raises(UserError, match="Split validation of memory"):
        prepared.split("validation")


def test_mistakes_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Unknown split 'dev'"):
        prepare(corpus_of(2), tmp_path, ["dev"], progress=False)
    with pytest.raises(UserError, match="workers=0"):
        prepare(corpus_of(2), tmp_path, workers=0, progress=False)
    with pytest.raises(UserError, match="audiolcm prepare"):
        PreparedData.open(tmp_path / "nothing")


def test_two_at_once_do_the_work_once(tmp_path: Path) -> None:
    whole = prepare(corpus_of(20), tmp_path / "whole", progress=False, sounds_per_shard=3)
    corpus = corpus_of(20, seconds_per_sound=0.01)
    with ThreadPoolExecutor(2) as pool:  # locks of one file exclude threads just as they exclude processes
        runs = [
            pool.submit(prepare, corpus, tmp_path / "both", progress=False, sounds_per_shard=3) for _ in "ab"
        ]
    assert files(runs[0].result().folder) == files(runs[1].result().folder) == files(whole.folder)
    assert corpus.num_decoded == 24


def test_real_clips(shared_data: Path, tmp_path: Path) -> None:
    corpus = Esc10(str(shared_data / "esc10"))
    prepared = prepare(corpus, tmp_path, ["validation"], progress=False)
    split = prepared.split("validation")
    assert len(split) == len(corpus.clips("validation"))
    assert not prepared.bad_rows
    for index in range(len(split)):
        assert split.num_frames(index) == 312
        mel = split.mel(index)
        assert np.isfinite(mel).all()
        assert mel.min() >= -5
        assert -3 < mel.max() < 2.5
