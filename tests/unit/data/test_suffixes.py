"""Sound files by their suffixes: each that libsndfile reads is looked for."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import read_audio
from audiolcm.data.corpora.webdataset import WebDataset
from audiolcm.data.locating import AUDIO_SUFFIXES, sound_files

FORMATS = {
    **dict.fromkeys((".wave", ".bwf"), "WAV"),
    **dict.fromkeys((".aif", ".aiff", ".aifc"), "AIFF"),
    **dict.fromkeys((".ogg", ".oga"), "OGG"),
    **dict.fromkeys((".mp2", ".mpga"), "MP3"),  # layer III: libsndfile writes no other
    **dict.fromkeys((".au", ".snd"), "AU"),
    ".sph": "NIST",
}


def _file(suffix: str) -> bytes:
    file = io.BytesIO()
    container, subtype = ("OGG", "OPUS") if suffix == ".opus" else (FORMATS.get(suffix, suffix[1:]), None)
    noise = 0.3 * np.random.default_rng(0).standard_normal(16000)
    soundfile.write(file, noise, 16000, format=container, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("suffix", AUDIO_SUFFIXES)
def test_sounds_of_a_suffix_are_found_and_read(tmp_path: Path, suffix: str) -> None:
    for name in (f"rain{suffix}", f"SNOW{suffix.upper()}"):
        (tmp_path / name).write_bytes(_file(suffix))
    found = sound_files(tmp_path)
    assert [path.name for path in found] == [f"SNOW{suffix.upper()}", f"rain{suffix}"]
    assert all(len(read_audio(path)) == 16000 for path in found)


def test_shards_hold_sounds_of_every_suffix(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for suffix in AUDIO_SUFFIXES:
            for name, content in ((f"a{suffix[1:]}{suffix}", _file(suffix)), (f"a{suffix[1:]}.txt", b"Rain")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    corpus = WebDataset(str(tmp_path), validation_every=0)
    clips = corpus.clips("train")
    assert sorted(clip.name for clip in clips) == sorted(f"a/a{suffix[1:]}" for suffix in AUDIO_SUFFIXES)
    assert all(len(corpus.waveform(clip)) == 16000 for clip in clips)
