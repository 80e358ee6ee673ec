"""Files that are cut off, that do not tell their length, or whose headers ask for more than there is."""

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.containers import Ending, ending
from audiolcm.audio.io import decode, read_audio, read_facts
from audiolcm.errors import UserError


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(round(rate * seconds)) / rate)


WHOLE = [
    ("wav", "PCM_16"),
    ("wav", "PCM_24"),
    ("wav", "FLOAT"),
    ("rf64", "PCM_16"),
    ("aiff", "PCM_16"),
    ("w64", "PCM_16"),
    ("caf", "PCM_16"),
    ("au", "PCM_16"),
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
    assert ending(path) == Ending()
    assert len(read_audio(path)) > 60000
    data = path.read_bytes()
    for share in (0.9, 0.5, 0.2):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(UserError, match="cut off|cannot be read"):
            read_audio(path)
        if suffix != "flac":  # it has no size but the number of samples, which are all decoded to know
            with pytest.raises(UserError, match="cut off|cannot be read"):
                read_audio(path, max_duration=0.1)


def test_streamed_wav_announces_nothing_and_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "stream.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    data = path.read_bytes()
    place = data.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"):
        path.write_bytes(data[:place] + size + data[place + 4 :])
        assert ending(path) == Ending()


def test_chunks_before_the_sound_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "list.wav"
    soundfile.write(path, tone(16000), 16000, subtype="PCM_16")
    data = path.read_bytes()
    place = data.index(b"data")
    path.write_bytes(data[:place] + b"LIST\x05\x00\x00\x00hallo\x00" + data[place:])
    assert ending(path) == Ending()
    path.write_bytes(path.read_bytes()[:-100])
    assert ending(path).missing == 100


def _flac_of_unknown_length(path: Path, seconds: float) -> None:
    """As ffmpeg writes it to a pipe: no number of samples, no checksum of them in its header."""
    soundfile.write(path, tone(16000, seconds), 16000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:42] = bytes(20)
    path.write_bytes(data)


@pytest.mark.parametrize("seconds", [2.0, 14.0])
def test_flac_of_unknown_length_is_read(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "pipe.flac"
    _flac_of_unknown_length(path, seconds)
    assert len(read_audio(path)) == len(decode(path)[0]) == round(16000 * seconds)
    assert len(read_audio(path, max_duration=10.0)) == round(16000 * min(seconds, 10.0))
    assert len(read_audio("in_a_tar.flac", 1.0, path.read_bytes())) == 16000
    facts = read_facts(path)
    assert (facts.num_samples, facts.sample_rate, facts.channels) == (round(16000 * seconds), 16000, 1)


def test_flac_of_unknown_length_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pipe.flac"
    _flac_of_unknown_length(path, 3.0)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(UserError, match=r"pipe\.flac cannot be read"):
        read_audio(path)


def _ogg_without_its_mark(path: Path) -> bytes:
    """As Android writes it: the last page does not say that it is the last."""
    data = bytearray(path.read_bytes())
    page = data.rfind(b"OggS")
    data[page + 5] &= ~4
    data[page + 22 : page + 26] = bytes(4)
    crc = 0
    for byte in data[page:]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    data[page + 22 : page + 26] = crc.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(("subtype", "samples"), [("VORBIS", 144000), ("OPUS", 144648)])
def test_ogg_without_a_mark_at_its_end_is_whole_when_its_pages_are(
    tmp_path: Path, subtype: str, samples: int
) -> None:
    """Opus in whole packets, with the 312 samples before its start: only the mark could say that some are cut."""
    path = tmp_path / "android.ogg"
    soundfile.write(path, tone(48000, samples / 48000), 48000, format="OGG", subtype=subtype)
    data = _ogg_without_its_mark(path)
    path.write_bytes(data)
    assert ending(path) == Ending()
    # The last page's count of samples is taken for a whole block
    assert abs(len(read_audio(path)) - 48000) < 1000
    for damaged in (data[:-1], data[: len(data) // 2], data + bytes(100)):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="cut off|cannot be read"):
            read_audio(path)


def test_a_resource_fork_beside_a_file_is_not_looked_at(tmp_path: Path) -> None:
    """libsndfile takes an mp3 that has one for a file of Sound Designer II."""
    soundfile.write(tmp_path / "song.mp3", tone(44100), 44100)
    (tmp_path / "._song.mp3").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00" + bytes(300))
    assert len(read_audio(tmp_path / "song.mp3")) > 15000
    assert read_facts(tmp_path / "song.mp3").sample_rate == 44100


def _wav_header(rate: int, channels: int, size: int) -> bytes:
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate, rate, 2 * channels, 16)
    return b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + form + b"data" + struct.pack("<I", size)


@pytest.mark.parametrize(
    ("rate", "channels", "reason"),
    [
        (2_000_000_000, 1, "2000000000 Hz"),
        (10, 1, "sample rate of 10 Hz"),
        (96_000, 1024, "too large"),
        (48_000, 1, ""),
    ],
)
def test_a_sparse_file_takes_no_memory(tmp_path: Path, rate: int, channels: int, reason: str) -> None:
    path = tmp_path / "sparse.wav"
    header = _wav_header(rate, channels, 1_000_000_000)
    path.write_bytes(header)
    os.truncate(path, len(header) + 1_000_000_000)
    tracemalloc.start()
    try:
        if reason:
            with pytest.raises(UserError, match=reason):
                read_audio(path, max_duration=10.0)
        else:
            assert len(read_audio(path, max_duration=10.0)) == 160000
            with pytest.raises(UserError, match="too large"):
                read_audio(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_real_recordings_are_whole(shared_data: Path) -> None:
    assert not [
        path.name for path in sorted((shared_data / "esc10/audio").iterdir()) if ending(path) != Ending()
    ]


@pytest.mark.parametrize("head", [b"riff" + bytes(36), b"caff" + bytes(4), b"RIFF" + bytes(8)])
@pytest.mark.parametrize("size", [b"\xff" * 8, b"\x7f" * 8, bytes(8)])
def test_chunks_of_absurd_sizes_are_no_fault(tmp_path: Path, head: bytes, size: bytes) -> None:
    path = tmp_path / "absurd.wav"
    path.write_bytes(head + (b"junk" * 4)[: 16 if head[:1] == b"r" else 4] + size)
    os.truncate(path, 1 << 30)
    assert ending(path) == Ending()
    with pytest.raises(UserError, match=r"absurd\.wav"):
        read_audio(path)
