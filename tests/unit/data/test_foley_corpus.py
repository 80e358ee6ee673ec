"""The procedural corpus as a corpus: seeds, splits, determinism, fingerprint, arguments."""

import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from audiolcm.data.foley import FoleyCorpus
from audiolcm.data.foley import corpus as corpus_module
from audiolcm.data.foley.event_class import Texture
from audiolcm.data.foley.rendering import EVENT_CLASSES
from audiolcm.errors import UserError

TEXTURES = {label for label, item in EVENT_CLASSES.items() if isinstance(item, Texture)}


def test_durations_span_the_range_and_only_steady_textures_outlast_an_example():
    corpus = FoleyCorpus()
    clips = corpus.clips("train")
    durations = np.array([clip.duration for clip in clips])
    assert 2.0 <= durations.min() < 2.5 and 9.5 < durations.max() <= 10.0
    for clip in clips:
        if clip.duration > corpus.duration:
            (event,) = clip.events
            assert event.label in TEXTURES and event.end - event.start == pytest.approx(clip.duration)
            assert clip.structured_caption.endswith("& all>")


def test_classes_are_balanced_and_captions_varied():
    corpus = FoleyCorpus(num_train=450, compose_probability=0.0)
    clips = corpus.clips("train")
    assert set(Counter(label for clip in clips for label in clip.labels).values()) == {
        450 // len(corpus.labels)
    }
    dogs = {clip.caption for clip in clips if clip.labels == ("dog",)}
    assert len(dogs) >= 7


def test_splits_share_no_seed(monkeypatch):
    keys = defaultdict(list)
    seed_sequence = corpus_module.SeedSequence

    def recording(entropy, spawn_key):
        keys[split].append(tuple(seed_sequence(entropy, spawn_key=spawn_key).generate_state(4)))
        branches[split].add(spawn_key[0])
        return seed_sequence(entropy, spawn_key=spawn_key)

    monkeypatch.setattr(corpus_module, "SeedSequence", recording)
    branches = defaultdict(set)
    corpus = FoleyCorpus(num_train=60, num_validation=60, num_test=60)
    for split in ("train", "validation", "test"):
        for clip in [*corpus.clips(split)[::10], *corpus.class_clips("dog", 4, split)]:
            corpus.waveform(clip)
    states = {split: set(used) for split, used in keys.items()}
    assert sum(map(len, states.values())) == len(set.union(*states.values())) > 180
    # Seeds spawned further down keep the first element of the key, and each split has its own.
    assert sorted(map(sorted, branches.values())) == [[0], [1], [2]]


def test_no_two_clips_are_the_same():
    corpus = FoleyCorpus(num_train=300, num_validation=300, num_test=300)
    plans = {
        (clip.events, clip.duration)
        for split in ("train", "validation", "test")
        for clip in corpus.clips(split)
    }
    assert len(plans) == 900


def test_other_seeds_give_other_sounds():
    first, second = (FoleyCorpus(num_train=5, seed=seed) for seed in (0, 1))
    assert [clip.events for clip in first.clips("train")] != [clip.events for clip in second.clips("train")]


def digests(corpus: FoleyCorpus, clips: list) -> dict[str, str]:
    """SHA-256 of each clip's sound."""
    return {clip.name: hashlib.sha256(corpus.waveform(clip).tobytes()).hexdigest() for clip in clips}


def test_waveform_is_bit_identical_in_any_process_and_order():
    script = (
        "import hashlib, json; from audiolcm.data.foley import FoleyCorpus\n"
        "corpus = FoleyCorpus(num_train=90); clips = corpus.clips('train')[:44:-1]\n"
        "sounds = {clip.name: corpus.waveform(clip).tobytes() for clip in clips}\n"
        "print(json.dumps({name: hashlib.sha256(sound).hexdigest() for name, sound in sounds.items()}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    corpus = FoleyCorpus(num_train=90)
    assert digests(corpus, corpus.clips("train")[45:]) == json.loads(done.stdout)


def test_class_captions_name_one_class():
    corpus = FoleyCorpus(labels=["dog", "rain"])
    assert corpus.class_caption("dog") == "A dog barks"
    assert corpus.class_structured_caption("dog") == "<dog barking& all>"
    clips = corpus.class_clips("rain", 3)
    assert [clip.caption for clip in clips] == ["Rain falls"] * 3
    assert len({corpus.waveform(clip).tobytes() for clip in clips}) == 3
    assert len({FoleyCorpus().class_caption(label) for label in FoleyCorpus().labels}) == len(EVENT_CLASSES)


def test_fingerprint_changes_with_arguments_and_version(monkeypatch):
    variants = [
        {}, {"seed": 1}, {"num_train": 7}, {"num_validation": 7}, {"num_test": 7}, {"duration": 4.0},
        {"compose_probability": 0.4}, {"min_duration": 3.0}, {"max_duration": 9.0}, {"labels": ["dog"]},
    ]  # fmt: skip
    prints = [FoleyCorpus(**arguments).fingerprint() for arguments in variants]
    assert len(set(prints)) == len(variants)
    assert prints[0] == FoleyCorpus().fingerprint()
    monkeypatch.setattr(corpus_module, "GENERATOR_VERSION", corpus_module.GENERATOR_VERSION + 1)
    assert FoleyCorpus().fingerprint() != prints[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"min_duration": 1.0}, {"max_duration": 11.0}, {"min_duration": 6.0, "max_duration": 5.0},
        {"duration": 1.0}, {"duration": float("nan")}, {"labels": ["dgo"]}, {"labels": []},
    ],
)  # fmt: skip
def test_bad_arguments_are_user_errors(arguments):
    with pytest.raises(UserError, match="foley"):
        FoleyCorpus(**arguments)


def test_bad_requests_are_user_errors():
    corpus = FoleyCorpus()
    with pytest.raises(UserError, match="split"):
        corpus.clips("val")
    with pytest.raises(UserError, match="dgo"):
        corpus.class_caption("dgo")
    with pytest.raises(UserError, match="split"):
        corpus.class_clips("dog", 1, "val")
    with pytest.raises(UserError, match="no clip of this corpus"):
        corpus.waveform(replace(corpus.clips("test")[0], name="esc_1"))


@pytest.mark.parametrize("duration", [2.0, 3.0, 10.0])
def test_any_duration_and_any_class_alone_gives_clips(duration):
    for labels in (None, ["dog"], ["rain"], ["rooster", "thunder"]):
        corpus = FoleyCorpus(num_train=40, duration=duration, compose_probability=1.0, labels=labels)
        for clip in corpus.clips("train"):
            assert clip.events[0].start >= 0.0 and max(e.end for e in clip.events) <= clip.duration + 1e-9
