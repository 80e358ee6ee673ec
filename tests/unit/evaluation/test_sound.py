import numpy as np
import pytest
import soundfile
from packages import needs_package

from audiolcm.errors import UserError
from audiolcm.storage.hashing import content_hash
from evaluation.report.sample import read_excerpt
from evaluation.sound import SoundReader

RATE = 16000
TIME = np.arange(RATE) / RATE
TONE = 0.5 * np.sin(2 * np.pi * 440 * TIME)


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_the_mean_of_the_channels_or_the_first(tmp_path):
    path = write(tmp_path / "stereo.wav", np.stack([TONE, np.zeros_like(TONE)], 1))
    np.testing.assert_allclose(SoundReader().read(path, RATE), TONE / 2, atol=1e-7)
    np.testing.assert_allclose(SoundReader(channel="first").read(path, RATE), TONE, atol=1e-7)


def test_channels_of_opposite_phase_are_told_where_they_are_mixed(tmp_path):
    path = write(tmp_path / "inverted.wav", np.stack([TONE, -TONE], 1))
    with pytest.raises(UserError, match=r"inverted\.wav cannot be mixed .* opposite phase"):
        SoundReader().read(path, RATE)
    np.testing.assert_allclose(SoundReader(channel="first").read(path, RATE), TONE, atol=1e-7)
    np.testing.assert_allclose(read_excerpt(path), TONE, atol=1e-7)  # of a report


def test_the_constant_part_is_taken_out_only_when_asked(tmp_path):
    path = write(tmp_path / "offset.wav", TONE + 0.25)
    assert SoundReader().read(path, RATE).mean() == pytest.approx(0.25, abs=1e-6)
    assert SoundReader(remove_mean=True).read(path, RATE).mean() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("resampler", ["soxr", "kaiser_best", "sinc_hann"])
def test_every_resampler_keeps_a_tone_and_the_length(tmp_path, resampler):
    path = write(tmp_path / "tone.wav", TONE)
    up = SoundReader(resampler=resampler).read(path, 48000)
    assert len(up) == 48000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000)
    np.testing.assert_allclose(up[2000:-2000], expected[2000:-2000], atol=2e-3)


def test_kaiser_best_is_that_of_resampy(tmp_path):
    import resampy

    noise = np.random.RandomState(0).randn(RATE).astype(np.float32) / 10
    path = write(tmp_path / "noise.wav", noise)
    np.testing.assert_allclose(
        SoundReader(resampler="kaiser_best").read(path, 32000),
        resampy.resample(noise, RATE, 32000),
        atol=1e-6,
    )


def test_sinc_hann_is_that_of_torchaudio(tmp_path):
    needs_package("torchaudio")
    import torch
    import torchaudio

    noise = np.random.RandomState(0).randn(RATE).astype(np.float32) / 10
    path = write(tmp_path / "noise.wav", noise)
    expected = torchaudio.functional.resample(torch.from_numpy(noise), RATE, 44100).numpy()
    np.testing.assert_allclose(SoundReader(resampler="sinc_hann").read(path, 44100), expected, atol=1e-6)


def test_short_sounds_are_padded_and_long_ones_cut(tmp_path):
    path = write(tmp_path / "tone.wav", TONE)
    padded = SoundReader(min_seconds=1.5).read(path, RATE)
    assert len(padded) == 24000 and not padded[RATE:].any()
    cut = SoundReader(max_seconds=0.25).read(path, RATE)
    np.testing.assert_allclose(cut, TONE[:4000], atol=1e-7)


def test_sounds_are_turned_to_a_peak_and_silence_stays(tmp_path):
    path = write(tmp_path / "tone.wav", TONE / 5)
    assert np.abs(SoundReader(peak=0.5).read(path, RATE)).max() == pytest.approx(0.5, rel=1e-5)
    silent = write(tmp_path / "silence.wav", np.zeros(RATE))
    assert not SoundReader(peak=0.5).read(silent, RATE).any()


def test_settings_change_the_identity_and_bad_ones_are_refused():
    readers = [
        SoundReader(),
        SoundReader("first"),
        SoundReader(remove_mean=True),
        SoundReader(min_seconds=2.0),
    ]
    assert len({reader.identity for reader in readers}) == 4
    with pytest.raises(UserError, match="channel"):
        SoundReader(channel="left")
    with pytest.raises(UserError, match="resampler"):
        SoundReader(resampler="nearest")
    with pytest.raises(UserError, match="no lengths"):
        SoundReader(max_seconds=0.0)


def test_every_nth_sample_up_to_a_multiple(tmp_path):
    noise = np.random.RandomState(0).randn(RATE).astype(np.float32) / 10
    for multiple in (2, 3, 4):
        path = write(tmp_path / f"{multiple}.wav", noise, RATE * multiple)
        found = SoundReader(decimate=3).read(path, RATE)
        if multiple <= 3:
            np.testing.assert_array_equal(found, noise[::multiple])
        else:
            np.testing.assert_array_equal(found, SoundReader().read(path, RATE))
    with pytest.raises(UserError, match=r"decimate=1 must be at least 2"):
        SoundReader(decimate=1)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8"])
def test_integers_of_16_bits_are_those_of_soundfile(tmp_path, subtype):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.random.RandomState(0).uniform(-1.1, 1.1, RATE), RATE, subtype=subtype)
    expected = soundfile.read(path, dtype="int16")[0] / 32768
    np.testing.assert_array_equal(SoundReader(int16=True).read(path, RATE), expected.astype(np.float32))


def test_the_constant_part_of_the_whole_is_taken_out_after_resampling(tmp_path):
    import resampy

    ramp = np.linspace(0, 1, 3 * 44100)
    path = write(tmp_path / "ramp.wav", ramp, 44100)
    whole = resampy.resample(ramp, 44100, RATE)
    reader = SoundReader(
        remove_mean=True, resampler="kaiser_best", max_seconds=1.0, resample_first=True, peak=0.5
    )
    expected = (whole - whole.mean())[:RATE]
    expected = 0.5 * expected / np.abs(expected).max()
    np.testing.assert_allclose(reader.read(path, RATE), expected, atol=2e-6)
    assert abs(float(expected.mean())) > 0.1  # that of the part that is heard would be 0


def test_unset_settings_of_later_versions_leave_what_was_kept():
    """Features of sounds lie under these names since version 1 of the cache."""
    assert SoundReader().identity == content_hash([1, dict(OLD)])
    assert SoundReader("first", True, "sinc_hann", 2.0).identity == content_hash(
        [1, OLD | {"channel": "first", "remove_mean": True, "resampler": "sinc_hann", "min_seconds": 2.0}]
    )
    later = [{"int16": True}, {"decimate": 2}, {"decimate": 3}, {"via": 16000}, {"resample_first": True}]
    assert len({SoundReader(**settings).identity for settings in ({}, *later)}) == 6


OLD = {
    "channel": "mean", "remove_mean": False, "resampler": "soxr", "min_seconds": 0.0, "max_seconds": None, "peak": None,
}  # fmt: skip
