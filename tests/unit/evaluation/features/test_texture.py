"""Statistics of texture and patches of the log-mel, on sounds whose statistics are known."""

import numpy as np
import pytest

from audiolcm.errors import UserError
from evaluation.features import texture
from evaluation.features.extractor import Extractor
from evaluation.features.patches import Patches
from evaluation.features.texture import Texture, cochleagram, frame_deviation, modulation_power, statistics
from evaluation.metrics.deviation import log_ratio
from evaluation.metrics.frechet import frechet_distance_from_rows

RATE = 16_000
EXTRACTORS = (Texture, Patches)


def noise(seed: int = 0, seconds: float = 3.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def modulated(hertz: float, seconds: float = 3.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (noise(0, seconds) * (1 + np.sin(2 * np.pi * hertz * time))).astype(np.float32)


def rows(extractor: Extractor, *waveforms: np.ndarray) -> np.ndarray:
    return np.concatenate([found["embedding"] for found in extractor.extract(waveforms)])


class TestCochleagram:
    def test_a_tone_is_in_its_band_at_its_amplitude(self) -> None:
        envelopes = cochleagram(0.1 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE))
        assert envelopes.shape == (texture.NUM_BANDS, 800)
        amplitudes = envelopes.mean(1) ** (1 / texture.COMPRESSION)
        assert np.sqrt(np.sum(amplitudes**2)) == pytest.approx(0.1, rel=0.02)  # neighbors share it
        assert np.sort(amplitudes)[:-2].max() < 1e-3

    def test_the_filters_keep_all_power_between_the_outermost_centers(self) -> None:
        gains = np.zeros(RATE // 2 + 1)
        for first, band in texture.filters(RATE):
            gains[first : first + len(band)] += band**2
        np.testing.assert_allclose(gains[100:6600], 1.0, atol=1e-4)

    def test_the_envelope_of_a_modulated_tone_is_its_modulation(self) -> None:
        time = np.arange(2 * RATE) / RATE
        wave = 0.1 * (1 + 0.5 * np.sin(2 * np.pi * 10 * time)) * np.sin(2 * np.pi * 1000 * time)
        loudest = cochleagram(wave)[cochleagram(wave).mean(1).argmax()] ** (1 / texture.COMPRESSION)
        times = (np.arange(800) + 0.5) / 400
        expected = 1 + 0.5 * np.sin(2 * np.pi * 10 * times)
        np.testing.assert_allclose(loudest / loudest.mean(), expected, atol=0.03)


class TestStatistics:
    @pytest.mark.parametrize(("hertz", "octave"), [(3, 0), (12, 2), (48, 4)])
    def test_modulation_is_where_it_must_be(self, hertz: int, octave: int) -> None:
        still, moved = (statistics(cochleagram(wave)) for wave in (noise(), modulated(hertz)))
        gained = (moved["modulation"] - still["modulation"]).mean((0, 1))
        assert gained.argmax() == octave and gained[octave] > 0.7
        assert moved["variation"].mean() > still["variation"].mean() + 0.3

    def test_octaves_of_white_envelopes_sum_to_their_variance(self) -> None:
        envelopes = np.random.default_rng(0).standard_normal((2000, texture.WINDOW))
        power = modulation_power(envelopes).mean(0)
        assert power.sum() == pytest.approx(1.0, rel=0.02)
        widths = np.array([2, 4, 8, 16, 32, 64, 72]) / 200  # of the octaves, as parts of all frequencies
        np.testing.assert_allclose(power, widths, rtol=0.06)

    def test_moments_of_gaussian_envelopes(self) -> None:
        envelopes = 1 + 0.1 * np.random.default_rng(0).standard_normal((24, 4000))
        found = statistics(envelopes)
        assert found["level"].mean() == pytest.approx(0.0, abs=0.01)
        assert found["variation"].mean() == pytest.approx(np.log(0.1), abs=0.02)
        assert found["skew"].mean() == pytest.approx(0.0, abs=0.02)
        assert found["kurtosis"].mean() == pytest.approx(np.log(4), abs=0.03)
        assert abs(found["correlation"].mean()) < 0.01

    def test_bands_that_move_together_are_correlated(self) -> None:
        still, moved = (statistics(cochleagram(wave))["correlation"] for wave in (noise(), modulated(3)))
        assert moved.mean() > 0.6 > 0.2 > abs(still[:, -16:].mean())  # eight bands apart they share no bin

    def test_level_changes_the_level_alone(self) -> None:
        quiet, loud = (statistics(cochleagram(wave)) for wave in (10 * noise(), 40 * noise()))
        np.testing.assert_allclose(loud["level"] - quiet["level"], texture.COMPRESSION * np.log(4), atol=0.01)
        for kind in set(quiet) - {"level"}:
            np.testing.assert_allclose(loud[kind], quiet[kind], atol=0.02)


class TestDeviation:
    def test_smoothing_lowers_it(self) -> None:
        wave = noise()
        steady = np.sin(2 * np.pi * np.arange(len(wave)) / 32).astype(np.float32) * 0.1 + wave
        slow, fast = modulated(2), modulated(12)
        assert frame_deviation(fast) > frame_deviation(slow) > frame_deviation(wave) > frame_deviation(steady)

    def test_it_does_not_hang_on_the_level(self) -> None:
        np.testing.assert_allclose(frame_deviation(2 * noise()), frame_deviation(noise()), rtol=1e-2)

    def test_of_silence_it_is_zero_and_the_ratio_finite(self) -> None:
        silent = frame_deviation(np.zeros(RATE, np.float32))
        assert silent == 0.0
        assert log_ratio(silent, silent) == 0.0
        assert np.isfinite(log_ratio(silent, frame_deviation(noise()))).all()
        assert log_ratio(np.array([1.0]), np.array([2.0])) == pytest.approx(np.log(0.5), abs=0.01)


@pytest.mark.parametrize("kind", EXTRACTORS)
class TestExtractors:
    def test_equal_sounds_are_at_no_distance_and_textures_apart(self, kind: type[Extractor]) -> None:
        heard = rows(kind(), *(noise(seed, 20) for seed in range(12)))
        others = rows(kind(), *(noise(seed, 20) for seed in range(20, 32)))
        moved = rows(kind(), *(modulated(12, 20) for _ in range(12)))
        assert len(heard) > heard.shape[1]
        assert frechet_distance_from_rows(heard, heard) == pytest.approx(0.0, abs=1e-6)
        near = frechet_distance_from_rows(heard, others)
        assert frechet_distance_from_rows(heard, moved) > 10 * near

    def test_features_are_the_same_each_time_and_a_sounds_own(self, kind: type[Extractor]) -> None:
        sounds = [noise(0, 3.0), noise(1, 2.5), noise(2, 3.0)]
        together, backwards = kind().extract(sounds), kind().extract(sounds[::-1])
        assert kind().identity == kind().identity
        for one, other in zip(together, backwards[::-1], strict=True):
            for name, array in one.items():
                assert array.dtype == np.float32
                np.testing.assert_allclose(array, other[name], atol=1e-5)

    @pytest.mark.parametrize("level", [0.0, 1e-5, 1.0])
    def test_silence_and_loud_sounds_give_finite_rows(self, kind: type[Extractor], level: float) -> None:
        for wave in (np.full(2 * RATE, level, np.float32), level * noise()):
            assert all(np.isfinite(array).all() for array in kind().extract([wave])[0].values())

    def test_a_sound_too_short_is_told(self, kind: type[Extractor]) -> None:
        with pytest.raises(UserError, match="100 samples at 16000 Hz is too short for"):
            kind().extract([noise(), noise()[:100]])

    def test_it_is_an_extractor(self, kind: type[Extractor]) -> None:
        assert isinstance(kind(device="cpu"), Extractor)
        assert kind().extract([]) == []


def test_rows_are_windows_that_the_sound_fills() -> None:
    [short, just, long] = Texture().extract([noise(0, 1.0), noise(0, 1.49), noise(0, 5.0)])
    assert [len(found["embedding"]) for found in (short, just, long)] == [1, 1, 9]
    assert long["embedding"].shape[1] == 345 and long["deviation"].shape == (1,)
    [found] = Patches().extract([noise(0, 7 * 320 / RATE)])
    assert found["embedding"].shape == (8, 64)
