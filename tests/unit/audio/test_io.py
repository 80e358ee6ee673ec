import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.containers import missing_bytes
from audiolcm.audio.io import read_audio, save_spectrogram, write_wav
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
        ("zero_bytes.wav", lambda path: path.write_bytes(b""), "can not be read"),
        ("text.wav", lambda path: path.write_text("no sound at all"), "can not be read"),
        ("headerless.raw", lambda path: path.write_bytes(bytes(1000)), "can not be read"),
        ("no_samples.wav", lambda path: soundfile.write(path, np.zeros(0), 16000), "empty"),
        ("one.wav", lambda path: soundfile.write(path, np.zeros(1), 192000), "empty"),
        ("cut.flac", _cut_flac, "cut off|can not be read"),
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


def test_spectrogram_is_a_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    mel = np.full((80, 100), -5.0, np.float32)
    mel[40] = 0.5
    save_spectrogram(tmp_path / "mel.png", mel, "one band")
    picture = imread(tmp_path / "mel.png")
    assert picture.shape[1] > picture.shape[0] > 100
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10
    with pytest.raises(UserError, match="shape"):
        save_spectrogram(tmp_path / "none.png", np.zeros((80, 0)), "empty")


WHOLE = [
    ("wav", "PCM_16"),
    ("wav", "PCM_24"),
    ("wav", "FLOAT"),
    ("rf64", "PCM_16"),
    ("aiff", "PCM_16"),
    ("flac", "PCM_16"),
    ("ogg", "VORBIS"),
    ("ogg", "OPUS"),
    ("mp3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("suffix", "subtype"), WHOLE)
def test_a_file_without_its_end_is_cut_off(tmp_path: Path, suffix: str, subtype: str) -> None:
    """libsndfile plays what is left of most of them."""
    path = tmp_path / f"noise.{suffix}"
    noise = 0.3 * np.random.default_rng(0).standard_normal(4 * 48000)
    soundfile.write(path, noise, 48000, format=suffix.upper(), subtype=subtype)
    assert missing_bytes(path) == 0
    assert len(read_audio(path)) > 60000
    data = path.read_bytes()
    for share in (0.9, 0.5, 0.2):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(UserError, match="cut off|can not be read"):
            read_audio(path)
        if suffix != "flac":  # it has no size but the number of samples, which are all decoded to know
            with pytest.raises(UserError, match="cut off|can not be read"):
                read_audio(path, max_duration=0.1)


def test_streamed_wav_announces_nothing_and_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "stream.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    data = path.read_bytes()
    place = data.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"):
        path.write_bytes(data[:place] + size + data[place + 4 :])
        assert missing_bytes(path) == 0


def test_chunks_before_the_sound_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "list.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    data = path.read_bytes()
    place = data.index(b"data")
    path.write_bytes(data[:place] + b"LIST\x05\x00\x00\x00hallo\x00" + data[place:])
    assert missing_bytes(path) == 0
    path.write_bytes(path.read_bytes()[:-100])
    assert missing_bytes(path) == 100


@pytest.mark.slow
def test_real_recordings_are_whole(shared_data: Path) -> None:
    assert not [path.name for path in sorted((shared_data / "esc10/audio").iterdir()) if missing_bytes(path)]
