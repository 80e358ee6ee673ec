"""What spoils sounds does what it says."""

import numpy as np
import pytest
from numpy.random import default_rng

from audiolcm.data.manifest import Stated
from evaluation.soundness.figures import Figures, detection, is_monotone
from evaluation.soundness.job import table
from evaluation.soundness.spoiling import TrueSounds, add_noise, cut_highs, shuffle_time, swap_classes

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


def test_monotone_allows_equals_and_tells_which_figure_got_better():
    start = Figures(frechet=0.0, kl=0.0, caption_similarity=0.5, hit_rate=0.9)
    middle = Figures(frechet=1.0, kl=0.5, caption_similarity=0.5, hit_rate=0.6)
    end = Figures(frechet=0.9, kl=0.7, caption_similarity=0.2, hit_rate=0.7)
    assert all(is_monotone([start, middle]).values())
    assert is_monotone([start, middle, end]) == {
        "frechet": False, "kl": True, "caption_similarity": True, "hit_rate": False,
    }  # fmt: skip


def test_detection_counts_only_what_is_stated():
    frames = np.array([[0.9, 0.1], [0.1, 0.1], [0.9, 0.9], [0.1, 0.1]])
    features, both = [{"frames": frames}] * 3, frozenset({"dog", "rain"})
    stated = [Stated(), Stated({"dog": 2, "rain": 2}), Stated({"dog": 2}, ("dog", "rain"))]
    found = detection(features, stated, [both] * 3, ("dog", "rain"))
    assert found == {"event recall": (1.0, 3), "counts": (0.75, 2), "order": (1.0, 1)}
    assert "counts" not in detection(features[:1], stated[:1], [both], ("dog", "rain"))


def test_table_has_three_decimals_and_no_minus_before_zero():
    figures = Figures(frechet=-0.0001, kl=12.34567, caption_similarity=0.5, hit_rate=1.0)
    assert table({"true sounds": figures}) == (
        "| sounds | FAD | KL | CLAP | hit rate |\n"
        "|---|---:|---:|---:|---:|\n"
        "| true sounds | 0.000 | 12.346 | 0.500 | 1.000 |"
    )
