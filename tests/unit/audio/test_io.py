import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import read_audio, write_wav
from audiolcm.errors import UserError


def tone(rate: int, seconds: float = 1.0, frequency: float = 440.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize(
    ("suffix", "subtype", "rate", "channels", "tolerance"),
    [
        ("wav", "PCM_U8", 16000, 1, 8e-3),
        ("wav", "PCM_16", 44100, 2, 1e-4),
        ("wav", "PCM_24", 48000, 2, 1e-4),
        ("wav", "PCM_32", 8000, 1, 1e-4),
        ("wav", "FLOAT", 22050, 6, 1e-4),
        ("wav", "DOUBLE", 96000, 1, 1e-4),
        ("wav", "ULAW", 11025, 1, 2e-2),
        ("flac", "PCM_16", 32000, 2, 1e-4),
        ("ogg", "VORBIS", 44100, 1, 2e-2),
        ("aiff", "PCM_24", 37000, 3, 1e-4),
        ("mp3", "MPEG_LAYER_III", 44100, 2, 5e-2),
    ],
)
def test_any_format_gives_the_same_tone_at_16_khz(
    tmp_path: Path, suffix: str, subtype: str, rate: int, channels: int, tolerance: float
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.repeat(tone(rate)[:, None], channels, axis=1), rate, subtype=subtype)
    waveform = read_audio(path)
    assert waveform.dtype == np.float32
    assert waveform.ndim == 1
    expected = tone(16000)
    if suffix == "mp3":  # the encoder adds a delay: compare levels
        assert abs(np.std(waveform[4000:12000]) - np.std(expected)) < tolerance
        return
    assert len(waveform) == 16000
    inner = slice(1000, 15000)  # resamplers and codecs differ at the ends
    assert np.abs(waveform[inner] - expected[inner]).max() < tolerance


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(16000, frequency=300), tone(16000, frequency=500, amplitude=0.25)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), 16000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "stereo.wav"), (left + right) / 2, atol=1e-6)


def test_resampling_removes_what_16_khz_can_not_hold(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "high.wav", tone(48000, frequency=11000), 48000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "high.wav")[500:-500]).max() < 1e-3


def test_max_duration_reads_the_start(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(44100, 3.0), 44100)
    start = read_audio(path, max_duration=1.25)
    assert len(start) == 20000
    np.testing.assert_allclose(start[:19500], read_audio(path)[:19500], atol=1e-4)


def _cut_flac(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 40000), 16000)
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("absent.wav", lambda path: None, "not found"),
        ("zero_bytes.wav", lambda path: path.write_bytes(b""), "cannot be read"),
        ("text.wav", lambda path: path.write_text("no sound at all"), "cannot be read"),
        ("headerless.raw", lambda path: path.write_bytes(bytes(1000)), "cannot be read"),
        ("no_samples.wav", lambda path: soundfile.write(path, np.zeros(0), 16000), "empty"),
        ("one.wav", lambda path: soundfile.write(path, np.zeros(1), 192000), "empty"),
        ("cut.flac", _cut_flac, "cut off|cannot be read"),
        ("nan.wav", lambda path: soundfile.write(path, np.full(99, np.nan), 16000, "FLOAT"), "NaN"),
        ("inf.wav", lambda path: soundfile.write(path, np.full(99, np.inf), 16000, "FLOAT"), "infinite"),
    ],
)
def test_bad_files_are_named_with_the_reason(tmp_path: Path, name: str, make, reason: str) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError, match=reason) as caught:
        read_audio(tmp_path / name)
    assert name in str(caught.value)


def test_wav_round_trip_and_clipping(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "out.wav"
    waveform = np.array([0.0, 0.5, -0.5, 1.7, -1.7], np.float32)
    write_wav(path, waveform)
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
    np.testing.assert_allclose(read_audio(path), np.clip(waveform, -1, 32767 / 32768), atol=1e-7)
    assert [entry.name for entry in path.parent.iterdir()] == ["out.wav"]


@pytest.mark.parametrize("waveform", [np.zeros(0), np.zeros((2, 9)), np.array([0.0, np.nan])])
def test_write_wav_refuses_what_is_no_sound(tmp_path: Path, waveform: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"x\.wav"):
        write_wav(tmp_path / "x.wav", waveform)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a" * 300 + ".wav", "a\0b.wav", "/".join(["folder"] * 1000) + "/a.wav"])
def test_a_name_that_no_file_can_have_is_not_found(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not found"):
        read_audio(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UserError, match="not found"):
        read_audio(tmp_path / "pipe.wav")


@pytest.mark.parametrize("leak", [0.0, 0.02])
@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_channels_of_opposite_phase_are_told(tmp_path: Path, leak: float, offset: float) -> None:
    path = tmp_path / "inverted.wav"
    left = tone(16000, amplitude=0.3) + offset
    soundfile.write(path, np.stack([left, -(1 - leak) * left], 1), 16000, subtype="PCM_16")
    with pytest.raises(UserError, match=r"inverted\.wav cannot be mixed .* opposite phase"):
        read_audio(path)


def test_channels_that_differ_are_mixed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one_side = np.zeros((16000, 2))
    one_side[:, 1] = tone(16000)
    wide = rng.normal(0, 0.1, (16000, 2)) * [1, -0.8]
    six = np.zeros((16000, 6))
    six[:, 3] = tone(16000)
    for samples in (one_side, wide, six, np.zeros((16000, 2)), np.repeat(wide[:, :1], 2, axis=1)):
        soundfile.write(tmp_path / "sound.wav", samples, 16000, subtype="FLOAT")
        np.testing.assert_allclose(read_audio(tmp_path / "sound.wav"), samples.mean(axis=1), atol=1e-6)
