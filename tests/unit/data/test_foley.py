"""What a caption of the procedural data set says is measured in its audio, for every event class."""

import re
from collections import Counter

import numpy as np
import pytest
from scipy import signal

from audiolcm.data.foley import FoleyCorpus
from audiolcm.data.foley.captions import COUNT_WORDS, Extent, Loudness, Phrase
from audiolcm.data.foley.event_class import Countable, Texture
from audiolcm.data.foley.rendering import EVENT_CLASSES

RATE = 16_000
COUNTABLE = sorted(label for label, item in EVENT_CLASSES.items() if isinstance(item, Countable))
TEXTURES = sorted(label for label, item in EVENT_CLASSES.items() if isinstance(item, Texture))


def count_onsets(sound: np.ndarray, gap: float) -> int:
    """Bursts above -30 dB of the loudest 10 ms, bursts closer than `gap` seconds merged."""
    frame = RATE // 100
    level = np.sqrt(np.mean(sound[: sound.size // frame * frame].reshape(-1, frame) ** 2, axis=1))
    active = np.flatnonzero(level > level.max() * 10 ** (-30 / 20))
    return 1 + int(np.sum(np.diff(active) * 0.01 > gap))


def decibels(sound: np.ndarray) -> float:
    """Level of the sounding part (nonzero samples) in dB."""
    return float(10 * np.log10(np.mean(sound[sound != 0] ** 2)))


def place_in_caption(caption: str, phrase: Phrase) -> int:
    """Where the words of a source stand in a caption."""
    return max(caption.lower().find(words) for words in (f"{phrase}", f"{phrase:gerund}"))


@pytest.fixture(scope="module")
def clips_and_stems():
    corpus = FoleyCorpus(num_train=180)
    return [(clip, corpus.scene(clip), corpus.stems(clip)) for clip in corpus.clips("train")]


def test_has_the_promised_classes():
    assert len(EVENT_CLASSES) >= 24
    assert FoleyCorpus().labels == sorted(EVENT_CLASSES)
    for label, event_class in EVENT_CLASSES.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", label)
        assert len(event_class.wordings) >= 2


@pytest.mark.parametrize("label", COUNTABLE)
def test_number_of_onsets_is_the_number_of_events(label):
    corpus = FoleyCorpus(num_train=12, compose_probability=0.0, labels=[label])
    gap = 0.75 * EVENT_CLASSES[label].gap[0]
    for clip in corpus.clips("train"):
        assert count_onsets(corpus.waveform(clip), gap) == len(clip.events), clip.caption


def test_stated_counts_are_the_onsets_heard(clips_and_stems):
    heard = Counter()
    for clip, scene, stems in clips_and_stems:
        for source, stem in zip(scene.sources, stems, strict=True):
            if source.count is None:
                assert not any(word in source.phrase.tag for words in COUNT_WORDS.values() for word in words)
                continue
            assert any(word in clip.caption for word in COUNT_WORDS[source.count])
            assert count_onsets(stem, 0.75 * EVENT_CLASSES[source.label].gap[0]) == source.count, clip.caption
            heard[source.count] += 1
    assert set(heard) >= {1, 2, 3, 4}


def test_order_and_simultaneity_are_those_of_the_caption(clips_and_stems):
    seen = Counter()
    for clip, scene, stems in clips_and_stems:
        if len(stems) == 1:
            continue
        sounding = [np.flatnonzero(stem) for stem in stems]
        if re.search(r", then|and then|followed by| after ", clip.caption):
            assert sounding[0][-1] < sounding[1][0], clip.caption
            assert re.findall(r"& (\w+)>", clip.structured_caption) == ["start", "end"]
            first, second = (place_in_caption(clip.caption, source.phrase) for source in scene.sources)
            assert (first > second) == (" after " in clip.caption), clip.caption
            seen["then"] += 1
        else:
            assert re.search(r" while | as | with |at the same time", clip.caption)
            shorter, longer = sorted(sounding, key=lambda times: times[-1] - times[0])
            assert longer[0] <= shorter[0] and shorter[-1] <= longer[-1], clip.caption
            seen["while"] += 1
    assert min(seen["then"], seen["while"]) > 25


def test_events_cover_all_sound_and_the_rest_is_silent(clips_and_stems):
    for clip, _, stems in clips_and_stems:
        mix = np.sum(stems, axis=0)
        inside = np.zeros(mix.size, bool)
        for event in clip.events:
            part = slice(round(event.start * RATE), round(event.end * RATE))
            inside[part] = True
            stem = stems[clip.labels.index(event.label)]
            audible = np.flatnonzero(np.abs(stem[part]) > 10 ** (-45 / 20) * np.abs(stem).max())
            assert audible[0] < 0.1 * RATE, (clip.caption, event)
            assert audible[-1] - audible[0] > 0.3 * (part.stop - part.start), (clip.caption, event)
        assert not mix[~inside].any()
        assert clip.events[0].start >= 0 and clip.events[-1].end <= clip.duration + 1e-9


@pytest.mark.parametrize("label", sorted(EVENT_CLASSES))
def test_loud_is_louder_than_soft_by_6_db(label):
    corpus = FoleyCorpus(num_train=40, compose_probability=0.0, labels=[label], max_duration=2.5)
    levels = {Loudness.LOUD: [], Loudness.SOFT: []}
    for clip in corpus.clips("train"):
        (source,) = corpus.scene(clip).sources
        if source.loudness and len(levels[source.loudness]) < 4:
            assert any(word in clip.caption for word in source.loudness.value)
            levels[source.loudness].append(decibels(corpus.waveform(clip)))
    assert min(levels[Loudness.LOUD]) >= max(levels[Loudness.SOFT]) + 6.0


@pytest.mark.parametrize("label", TEXTURES)
def test_long_is_longer_than_short(label):
    corpus = FoleyCorpus(num_train=40, compose_probability=0.0, labels=[label], max_duration=5.0)
    lengths = {Extent.LONG: [], Extent.SHORT: []}
    for clip in corpus.clips("train"):
        (source,) = corpus.scene(clip).sources
        if source.extent and len(lengths[source.extent]) < 3:
            assert any(word in clip.caption for word in source.extent.value)
            sounding = np.flatnonzero(np.abs(corpus.waveform(clip)) > 1e-4)
            lengths[source.extent].append((sounding[-1] - sounding[0]) / RATE)
    assert min(lengths[Extent.LONG]) > 1.5 * max(lengths[Extent.SHORT])


def test_waveforms_are_float32_bounded_and_as_long_as_stated(clips_and_stems):
    corpus = FoleyCorpus(num_train=180)
    for clip, _, stems in clips_and_stems[:60]:
        sound = corpus.waveform(clip)
        assert sound.dtype == np.float32 and sound.shape == (round(clip.duration * RATE),)
        assert np.isfinite(sound).all() and 0.02 < np.abs(sound).max() <= 0.95 + 1e-6
        np.testing.assert_array_equal(sound, np.sum(stems, axis=0, dtype=np.float32))


def test_structured_captions_follow_the_grammar():
    corpus = FoleyCorpus(duration=10.0, num_train=300, compose_probability=1.0)
    tags = Counter()
    for clip in corpus.clips("train"):
        parts = clip.structured_caption.split("@")
        matches = [re.fullmatch(r"<([a-z ]+)& (all|start|mid|end)>", part) for part in parts]
        assert all(matches) and len(parts) == len(clip.labels)
        tags.update([match[2] for match in matches])
        if len(parts) == 3:
            assert [match[2] for match in matches] == ["start", "mid", "end"], clip
    assert set(tags) == {"all", "start", "mid", "end"}


def _features(sound: np.ndarray) -> np.ndarray:
    """Mean and deviation of log band energies, and how much of their modulation is fast: 96 numbers."""
    _, _, spectrum = signal.stft(sound, RATE, nperseg=512, noverlap=256, padded=False)
    edges = np.unique(np.geomspace(2, 257, 33).astype(int))
    power = np.add.reduceat(np.abs(spectrum) ** 2, edges[:-1], axis=0)
    power = power[:, power.sum(axis=0) > 1e-5 * power.sum(axis=0).max()]
    bands = np.log10(power / power.max() + 1e-6)
    return np.concatenate(
        [bands.mean(axis=1), bands.std(axis=1), np.abs(np.diff(bands, axis=1)).mean(axis=1)]
    )


def test_classes_are_distinct_to_a_nearest_neighbour():
    corpus = FoleyCorpus(duration=2.5)
    known = {
        label: [_features(corpus.waveform(clip)) for clip in corpus.class_clips(label, 6, "train")]
        for label in corpus.labels
    }
    scale = np.std([vector for vectors in known.values() for vector in vectors], axis=0)
    hits = []
    for label in corpus.labels:
        for clip in corpus.class_clips(label, 2, "test"):
            vector = _features(corpus.waveform(clip))
            nearest = min(
                known, key=lambda name: min(np.linalg.norm((vector - other) / scale) for other in known[name])
            )
            hits.append(nearest == label)
    assert np.mean(hits) >= 0.9, np.mean(hits)
