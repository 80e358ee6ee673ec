"""The procedural music as a corpus: seeds, splits, determinism, fingerprint, arguments."""

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiolcm.data.manifest import Corpus
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.tunes import FoleyMusicCorpus, corpus
from audiolcm.data.tunes.instruments import LEADS
from audiolcm.errors import UserError


def test_waveform_is_bit_identical_in_any_process_and_order() -> None:
    script = (
        "import hashlib, json; from audiolcm.data.tunes import FoleyMusicCorpus\n"
        "corpus = FoleyMusicCorpus(num_train=22); clips = corpus.clips('train')[::-1]\n"
        "sounds = {clip.name: corpus.waveform(clip).tobytes() for clip in clips}\n"
        "print(json.dumps({name: hashlib.sha256(sound).hexdigest() for name, sound in sounds.items()}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    tunes = FoleyMusicCorpus(num_train=22)
    here = {c.name: hashlib.sha256(tunes.waveform(c).tobytes()).hexdigest() for c in tunes.clips("train")}
    assert here == json.loads(done.stdout)


def test_splits_and_seeds_share_no_tune() -> None:
    corpora = [FoleyMusicCorpus(num_train=60, num_validation=60, num_test=60, seed=seed) for seed in (0, 1)]
    tunes = [
        tuple(note for part in corpus.song(clip).parts for note in part.notes)
        for corpus in corpora
        for split in ("train", "validation", "test")
        for clip in corpus.clips(split)
    ]
    assert len(set(tunes)) == len(tunes) == 360


def test_sounds_are_sane() -> None:
    tunes = FoleyMusicCorpus(num_train=33, duration=3.0)
    assert isinstance(tunes, Corpus)
    for clip in tunes.clips("train"):
        sound = tunes.waveform(clip)
        assert (sound.dtype, sound.shape, clip.duration) == (np.float32, (48000,), 3.0)
        assert np.abs(sound).max() <= 0.9501
        assert 0.03 < np.sqrt(np.mean(sound**2)) < 0.3
        assert abs(sound.mean()) < 0.01
        assert all(0.0 <= event.start < event.end <= 3.0 for event in clip.events)
        assert {event.label for event in clip.events} == set(clip.labels)


def test_instruments_take_turns() -> None:
    clips = FoleyMusicCorpus(num_train=10 * len(LEADS)).clips("train")
    assert set(Counter(clip.labels[0] for clip in clips).values()) == {10}
    assert all(len(set(clip.labels)) == len(clip.labels) for clip in clips)
    flutes = FoleyMusicCorpus(num_train=5, instruments=["flute"]).clips("train")
    assert {clip.labels[0] for clip in flutes} == {"flute"}


def test_it_is_prepared_like_any_corpus(tmp_path: Path) -> None:
    tunes = FoleyMusicCorpus(num_train=3, num_validation=2, num_test=1, duration=2.0)
    prepared = prepare(tunes, tmp_path, progress=False)
    split = prepared.split("train")
    assert prepared.folder.name.startswith("foley_music-")
    assert split.clips[1].labels == tunes.clips("train")[1].labels
    np.testing.assert_allclose(split.waveform(1), tunes.waveform(tunes.clips("train")[1]), atol=1e-4)


def test_fingerprint_changes_with_arguments_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [
        {}, {"seed": 1}, {"num_train": 7}, {"num_validation": 7}, {"num_test": 7}, {"duration": 4.0},
        {"instruments": ["flute"]},
    ]  # fmt: skip
    prints = [FoleyMusicCorpus(**arguments).fingerprint() for arguments in variants]
    assert len(set(prints)) == len(variants)
    monkeypatch.setattr(corpus, "GENERATOR_VERSION", corpus.GENERATOR_VERSION + 1)
    assert FoleyMusicCorpus().fingerprint() != prints[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"duration": 1.0}, {"duration": 31.0}, {"duration": float("nan")}, {"instruments": ["flut"]},
        {"instruments": []}, {"num_train": -1}, {"seed": -1},
    ],
)  # fmt: skip
def test_bad_arguments_are_user_errors(arguments: dict[str, object]) -> None:
    with pytest.raises(UserError, match="foley_music"):
        FoleyMusicCorpus(**arguments)


def test_bad_requests_are_user_errors() -> None:
    tunes = FoleyMusicCorpus(num_test=1)
    with pytest.raises(UserError, match="split"):
        tunes.clips("val")
    for name in ("foley_test_000001", "foley_music_val_000001", "foley_music_test_x"):
        with pytest.raises(UserError, match="no clip of this corpus"):
            tunes.waveform(replace(tunes.clips("test")[0], name=name))
