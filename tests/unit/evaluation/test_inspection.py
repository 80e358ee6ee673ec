import numpy as np
import pytest
import soundfile

from audiolcm.errors import UserError
from evaluation.inspection import TOLERANCES, check_tolerances, inspect

NOISE = np.random.default_rng(0).normal(size=(16000, 2)) / 10


@pytest.fixture
def good(tmp_path):
    paths = [tmp_path / f"good{i}.wav" for i in range(3)]
    for path in paths:
        soundfile.write(path, NOISE[:, 0], 16000)
    return paths


def test_good_sounds_pass_without_a_word(good):
    assert inspect("Sounds", good, 1.0, ()) == ()


def test_each_trouble_is_told_with_names_and_counts_and_may_be_accepted(good, tmp_path):
    odd = {"stereo": NOISE, "sample_rates": NOISE[:, 0], "durations": NOISE[:8000, 0]}
    messages = {
        "stereo": r"1 have several channels \(stereo\.wav\)",
        "sample_rates": r"sample rates are mixed \(3 at 16000 Hz, 1 at 22050 Hz; sample_rates\.wav\)",
        "durations": r"1 last 0\.50 to 0\.50 s instead of 1 s \(durations\.wav\)",
    }
    for kind, samples in odd.items():
        path = tmp_path / f"{kind}.wav"
        soundfile.write(path, samples, 22050 if kind == "sample_rates" else 16000)
        seconds = None if kind == "sample_rates" else 1.0
        with pytest.raises(UserError, match=rf"Sounds, 4 files: {messages[kind]}.*allow=\[{kind}\]"):
            inspect("Sounds", [*good, path], seconds, ())
        [note] = inspect("Sounds", [*good, path], seconds, (kind,))
        assert f"{kind}.wav" in note


def test_several_troubles_are_one_message(good, tmp_path):
    soundfile.write(tmp_path / "odd.wav", NOISE[:4000], 8000)
    with pytest.raises(
        UserError, match=r"several channels.*mixed.*instead of 1 s.*allow=\[durations,sample_rates,stereo\]"
    ):
        inspect("Sounds", [*good, tmp_path / "odd.wav"], 1.0, ())


def test_broken_files_are_never_accepted(good, tmp_path):
    (tmp_path / "half.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match="1 of 4 files cannot be opened.*half.wav"):
        inspect("Sounds", [*good, tmp_path / "half.wav"], 1.0, TOLERANCES)
    soundfile.write(tmp_path / "empty.wav", NOISE[:0], 16000)
    with pytest.raises(UserError, match="empty.wav"):
        inspect("Sounds", [*good, tmp_path / "empty.wav"], 1.0, TOLERANCES)


def test_a_file_that_does_not_tell_its_length_is_measured(tmp_path):
    path = tmp_path / "pipe.flac"
    soundfile.write(path, NOISE[:, 0], 16000)
    data = bytearray(path.read_bytes())
    data[21:42] = bytes([data[21] & 0xF0]) + bytes(20)  # no number of samples, no checksum of them
    path.write_bytes(data)
    assert inspect("Sounds", [path], 1.0, ()) == ()
    with pytest.raises(UserError, match=r"1 last 1\.00 to 1\.00 s instead of 2 s"):
        inspect("Sounds", [path], 2.0, ())


def test_unknown_tolerances_are_refused():
    check_tolerances(["stereo", "few_clips"])
    with pytest.raises(UserError, match="allow=stero is unknown"):
        check_tolerances(["stero"])


def test_short_references_are_told_and_cut_off_files_refused(good, tmp_path):
    soundfile.write(tmp_path / "short.wav", NOISE[:8000, 0], 16000)
    [note] = inspect("References", [*good, tmp_path / "short.wav"], None, TOLERANCES, at_least=1.0)
    assert note == "References: 1 are shorter than 1 s (short.wav)"
    whole = good[0].read_bytes()
    (tmp_path / "half.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"half\.wav is cut off"):
        inspect("Sounds", [*good, tmp_path / "half.wav"], 1.0, ("durations",))
