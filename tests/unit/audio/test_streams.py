"""MP3 without a header, and files that hold more than libsndfile reads of them: never a short sound without a word."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import decode, read_audio, read_facts
from audiolcm.errors import UserError

RATE = 44100


def _noise(seconds: float, level: float = 0.3) -> np.ndarray:
    return level * np.random.default_rng(0).standard_normal(round(RATE * seconds))


def _encoded(samples: np.ndarray, container: str, rate: int = RATE, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, **options)
    return file.getvalue()


def _frame_sizes(data: bytes) -> list[int]:
    """By the marks of MPEG-1 layer III alone: a frame begins where the bytes of one are, and ends at the next."""
    kbps = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
    sizes, place = [], 0
    while place + 4 <= len(data):
        sizes.append(144_000 * kbps[data[place + 2] >> 4] // RATE + (data[place + 2] >> 1 & 1))
        place += sizes[-1]
    return sizes


def _mp3(samples: np.ndarray, mode: str = "VARIABLE") -> bytes:
    return _encoded(samples, "MP3", bitrate_mode=mode, compression_level=0.3)


def _without_header(mp3: bytes) -> bytes:
    assert b"Xing" in mp3[:200] or b"Info" in mp3[:200]
    return mp3[_frame_sizes(mp3)[0] :]


TAG = b"ID3\x03\x00\x00\x00\x00\x07\x68" + bytes(1000)


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize("before", [b"", TAG, TAG + TAG])
def test_mp3_without_a_header_is_read_to_its_end(tmp_path: Path, mode: str, before: bytes) -> None:
    """Loud at first: the bit rate of the first frames tells a seventh of the length."""
    path = tmp_path / "cut_by_a_tool.mp3"
    whole = _mp3(np.concatenate([_noise(2.0), _noise(18.0, 1e-4)]), mode)
    path.write_bytes(before + _without_header(whole))
    assert len(read_audio(path)) == pytest.approx(20 * 16000, abs=1500)
    path.write_bytes(
        path.read_bytes()[:-50]
    )  # such tools do not look where a frame ends, and the last is lost
    assert len(read_audio("in_a_tar.mp3", None, path.read_bytes())) == len(read_audio(path))
    assert len(read_audio(path, max_duration=10.0)) == 160000
    assert read_facts(path).num_samples == len(decode(path)[0])
    expected, sound = decode("whole.mp3", None, whole)[0][:, 0], decode(path)[0][:, 0]
    start = np.argmax(
        np.correlate(sound[:16000], expected[4000:8000], "valid")
    )  # only a header tells the delay
    np.testing.assert_allclose(sound[start : start + 300_000], expected[4000:304_000], atol=1e-5)


def _xing(mp3: bytes, bit: int) -> int:
    """Where the header keeps the number of frames (bit 0) or bytes (bit 1)."""
    return max(mp3.find(b"Xing"), mp3.find(b"Info")) + 8 + 4 * bit


def _joined(container: str, **options: object) -> bytes:
    return _encoded(_noise(1.0), container, **options) + _encoded(_noise(0.5), container, **options)


def _wav_of_size(size: int) -> bytes:
    data = _encoded(_noise(1.0), "WAV")
    return data[:40] + size.to_bytes(4, "little") + data[44:]


def _mp3_of_frames(number: int) -> bytes:
    data = bytearray(_mp3(_noise(2.0)))
    data[_xing(data, 0) : _xing(data, 1)] = number.to_bytes(4, "big")
    return bytes(data)


def _flac_of_samples(number: int) -> bytes:
    data = bytearray(_encoded(_noise(2.0), "FLAC"))
    data[22:26] = number.to_bytes(4, "big")
    return bytes(data)


OGG = _encoded(_noise(1.0), "OGG")
MORE = {
    "few_samples.flac": _flac_of_samples(5000),
    "vorbis.ogg": _joined("OGG", subtype="VORBIS"),
    "opus.ogg": _joined("OGG", subtype="OPUS", rate=48000),
    "the_same_twice.ogg": OGG + OGG,
    "other_rate.ogg": OGG + _encoded(_noise(1.0), "OGG", 22050),
    "two.flac": _joined("FLAC"),
    "two.mp3": _joined("MP3"),
    "two_with_tags.mp3": TAG + _mp3(_noise(1.0)) + b"TAG" + bytes(125) + TAG + _mp3(_noise(1.0)),
    "second_without_header.mp3": _mp3(_noise(1.0)) + _without_header(_mp3(_noise(1.0))),
    "few_frames.mp3": _mp3_of_frames(10),
    "two.wav": _joined("WAV"),
    "two.rf64": _joined("RF64"),
    "two.aiff": _joined("AIFF"),
    "two.w64": _joined("W64"),
    "two.caf": _joined("CAF"),
    "two.au": _joined("AU"),
    "never_finished.wav": _wav_of_size(0),
    "small_size.wav": _wav_of_size(20000),
}


@pytest.mark.parametrize("name", MORE)
def test_what_holds_more_than_is_read_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(MORE[name])
    for read in (read_audio, read_facts, lambda path: read_audio(path, 0.2)):
        with pytest.raises(
            UserError, match=rf"{name} (holds more sound than its header tells|cannot be read)"
        ):
            read(path)
    with pytest.raises(UserError, match="holds more sound|cannot be read"):
        read_audio(path, None, MORE[name])


FLAC = _encoded(_noise(1.0), "FLAC")
WAV = _encoded(_noise(1.0), "WAV")
CHUNK = b"LIST\x40\x00\x00\x00INFO" + bytes(60)
APE = b"APETAGEX" + bytes(3000)
WHOLE = {
    "chunk_behind.wav": WAV + CHUNK * 50,
    "unpadded_chunk.wav": _encoded(_noise(1.0), "WAV", subtype="PCM_U8")[:-1] + CHUNK * 50,
    "zeros_behind.wav": WAV + bytes(20000),
    "tag_before.wav": TAG + WAV,
    "tag_behind.wav": WAV + TAG,
    "tag_before.flac": TAG + _encoded(_noise(1.0), "FLAC"),
    "padded.flac": FLAC[:42] + b"\x01\x04\x00\x00" + bytes(1 << 18) + FLAC[42:] + b"TAG" + bytes(125),
    "tag_before.mp3": TAG + _mp3(_noise(1.0)) + APE + b"TAG" + bytes(125),
    "junk_behind.mp3": _mp3(_noise(1.0)) + np.random.default_rng(1).bytes(300_000),
    "tag_cut_off_behind.mp3": _mp3(_noise(1.0)) + b"ID3\x03",
    "one.ogg": OGG,
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_only_has_other_things_around_its_sound_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    assert len(read_audio(path)) == 16000


def test_mp3_whose_header_counts_frames_alone_is_told_when_it_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    data = bytearray(_mp3(_noise(3.0)))
    place = _xing(data, 0)
    data[place - 1] &= ~2
    data[place + 4 : place + 112] = data[place + 8 : place + 112] + bytes(4)
    path.write_bytes(data)
    assert len(read_audio(path)) == pytest.approx(48000, abs=2000)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="cut off"):
        read_audio(path)
