"""What spoils sounds does what it says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from audiolcm.audio.mel import MelSpectrogram
from audiolcm.data.manifest import Stated
from benchmarks.soundness.cases import SPOILINGS, steps_of
from benchmarks.soundness.figures import detection
from benchmarks.soundness.resynthesis import (
    bend_noise,
    griffin_lim,
    keep_components,
    smooth_bands,
    smooth_frames,
)
from benchmarks.soundness.spoiling import TrueSounds, add_noise, cut_highs, shuffle_time, swap_classes
from evaluation.features.texture import frame_deviation

RATE = 16000


def sounds(count: int = 8) -> TrueSounds:
    waveforms = list(0.1 * default_rng(0).standard_normal((count, 2 * RATE)).astype(np.float32))
    labels = [frozenset({f"class{i % 4}"}) for i in range(count)]
    return TrueSounds(waveforms, [f"caption {i}" for i in range(count)], labels, RATE)


@pytest.mark.parametrize("decibels", [30, 0])
def test_noise_has_the_power_it_should(decibels):
    true = sounds()
    for wave, noisy in zip(true.waveforms, add_noise(true, decibels, default_rng(0)), strict=True):
        ratio = np.mean(wave.astype(float) ** 2) / np.mean((noisy - wave).astype(float) ** 2)
        assert 10 * np.log10(ratio) == pytest.approx(decibels, abs=0.2)
        assert noisy.dtype == np.float32


def test_highs_are_cut_and_lows_stay():
    true = sounds(1)
    [low] = cut_highs(true, 2000, default_rng(0))
    hertz = np.fft.rfftfreq(len(low), 1 / RATE)
    gain = np.abs(np.fft.rfft(low)) / np.abs(np.fft.rfft(true.waveforms[0]))
    assert np.median(gain[(hertz > 200) & (hertz < 1500)]) == pytest.approx(1, abs=0.01)
    assert np.median(gain[hertz > 3500]) < 1e-3


def test_shuffled_pieces_are_the_same_pieces():
    true = sounds(2)
    for wave, other in zip(true.waveforms, shuffle_time(true, 0.25, default_rng(0)), strict=True):
        pieces, found = (sorted(x.reshape(8, -1).tolist()) for x in (wave, other))
        assert pieces == found and not np.array_equal(wave, other)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_swapped_sounds_are_of_other_classes(share):
    true = sounds(40)
    label_of = {wave.tobytes(): labels for wave, labels in zip(true.waveforms, true.labels, strict=True)}
    given = [label_of[wave.tobytes()] for wave in swap_classes(true, share, default_rng(0))]
    swapped = [new for new, old in zip(given, true.labels, strict=True) if new != old]
    assert len(swapped) == round(40 * share)
    assert len(set().union(*swapped)) == (2 if share else 0)


def smoothness(waveforms: list[np.ndarray]) -> float:
    return float(np.mean([frame_deviation(wave) for wave in waveforms]))


@pytest.mark.parametrize(
    ("spoil", "levels"), [(smooth_frames, (0.5, 2)), (smooth_bands, (1, 8)), (keep_components, (80, 10))]
)
def test_the_smoother_the_mel_the_steadier_the_sound(spoil, levels):
    true = sounds(4)
    mild, severe = (spoil(true, level, default_rng(0)) for level in levels)
    assert smoothness(true.waveforms) > smoothness(mild) > smoothness(severe)
    assert [len(wave) for wave in severe] == [len(wave) for wave in true.waveforms]


def test_many_passes_bend_noise_until_it_is_smooth():
    true = sounds(4)
    few, many = (bend_noise(true, passes, default_rng(0)) for passes in (1, 40))
    assert smoothness(few) > smoothness(many)


def test_griffin_lim_comes_nearer_to_the_mel():
    true = sounds(2)
    mel, given = MelSpectrogram(), torch.from_numpy(np.stack(true.waveforms))
    start, end = (mel(torch.from_numpy(np.stack(griffin_lim(true, n, default_rng(0))))) for n in (0, 16))
    assert (end - mel(given)).abs().mean() < 0.7 * (start - mel(given)).abs().mean()


def test_projecting_draws_nothing_from_the_stream_of_others():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = (keep_components(sounds(2), 20, default_rng(0)) for _ in range(2))
    assert torch.rand(1) == expected
    np.testing.assert_array_equal(first, second)


def test_a_students_steps_are_asked_for_by_caption_from_the_same_noise():
    calls = []

    def pipeline(captions, seconds, seeds, structured, *, steps):
        calls.append((captions, seconds, tuple(seeds), structured, steps))
        return SimpleNamespace(waveforms=np.ones((len(captions), 2 * RATE - 100), np.float32))

    way, true = steps_of(pipeline), sounds(10)
    made = [way.spoil(true, level, default_rng(0)) for level in way.levels]
    assert [call[-1] for call in calls] == [1, 1, 2, 2, 4, 4, 8, 8]  # eight sounds at a time
    assert len({call[2] for call in calls}) == 2 and len(set(calls[0][2] + calls[1][2])) == 10
    assert calls[0][0] + calls[1][0] == true.captions and calls[0][1] == 2.0
    assert made[0][0].shape == (2 * RATE,) and made[0][0][-100:].sum() == 0


def test_names_of_cases_are_all_different():
    names = [way.case(level) for way in SPOILINGS for level in way.levels]
    assert len(set(names)) == len(names)
    assert names[0] == "white noise, 30 dB SNR"


def test_detection_counts_only_what_is_stated():
    frames = np.array([[0.9, 0.1], [0.1, 0.1], [0.9, 0.9], [0.1, 0.1]])
    features, both = [{"frames": frames}] * 3, frozenset({"dog", "rain"})
    stated = [Stated(), Stated({"dog": 2, "rain": 2}), Stated({"dog": 2}, ("dog", "rain"))]
    found = detection(features, stated, [both] * 3, ("dog", "rain"))
    assert found == {"event recall": (1.0, 3), "counts": (0.75, 2), "order": (1.0, 1)}
    assert "counts" not in detection(features[:1], stated[:1], [both], ("dog", "rain"))
