import unicodedata
from pathlib import Path

import numpy as np
import pytest

from audiolcm.audio.io import read_audio, write_wav
from audiolcm.data.manifest import Clip
from audiolcm.errors import UserError
from evaluation.item_names import safe_name
from evaluation.protocol import ProtocolItem, TestSet
from evaluation.systems.baselines import Reference, Silence, WhiteNoise
from evaluation.systems.folder import Folder
from evaluation.systems.system import System, made


def items(*names: str) -> TestSet:
    """Items of these names, one second each."""
    made_items = [
        ProtocolItem(
            name,
            Clip(name, None, f"caption of {name}", "", 1.0, "test", ()),
            Path(f"/{name.rpartition('__')[0]}.wav"),
        )
        for name in names
    ]
    return TestSet(tuple(made_items), 1.0, "0123456789", "mine")


def fill(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_wav(folder / name, np.full(160, 0.1, np.float32))
    return Folder(str(folder))


@pytest.mark.parametrize(
    "files",
    [
        ["a__0.wav", "a__1.wav", "b_3__0.wav"],
        ["a_0.wav", "a_1.wav", "b_3.wav"],
        ["a_sample_0_0.wav", "a_sample_1_0.wav", "b_3_sample_0_0.wav"],
        ["output_0.wav", "output_1.wav", "output_2.wav"],
    ],
)
def test_names_in_use_find_their_captions(tmp_path, files):
    system = fill(tmp_path / "made", *files)
    assert isinstance(system, System)
    found = system.sounds(items("a__0", "a__1", "b_3__0"), 0, tmp_path)
    assert [path.name for path in found] == files


def test_a_folder_that_does_not_match_is_refused_with_counts(tmp_path):
    system = fill(tmp_path / "made", "a__0.wav", "a_0.wav", "c.wav", "notes.txt")
    with pytest.raises(
        UserError, match=r"3 files for 2 captions.*1 captions have no file, such as b__0"
    ) as error:
        system.sounds(items("a__0", "b__0"), 0, tmp_path)
    assert "1 files belong to no caption, such as c.wav" in str(error.value)
    assert "1 captions have several files, such as a__0" in str(error.value)


def test_empty_absent_and_unnamed_folders_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no sound file"):
        Folder(str(tmp_path / "empty")).sounds(items("a__0"), 0, tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        Folder(str(tmp_path / "absent"))
    with pytest.raises(UserError, match="path=FOLDER"):
        Folder(None)


def test_names_that_a_disk_spells_otherwise_find_their_captions(tmp_path):
    composed, apart = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
    files = [f"{apart}__0.wav", " river__0 .wav", f"{composed}__1.wav"]
    system = fill(tmp_path / "made", *files)
    (tmp_path / "made" / f"._{files[2]}").write_bytes(b"\0\5\x16\7" + bytes(300))  # macOS leaves such files
    found = system.sounds(items(f"{composed}__0", "river__0", f"{composed}__1"), 0, tmp_path)
    assert [path.name for path in found] == files


def test_names_that_are_alike_but_for_spaces_keep_their_own_sounds(tmp_path):
    system = fill(tmp_path / "made", "rain.wav", " rain.wav")
    found = system.sounds(items(" rain__0", "rain__0"), 0, tmp_path)
    assert [path.name for path in found] == [" rain.wav", "rain.wav"]


@pytest.mark.parametrize("letter", ["n", "é"])
def test_long_names_find_their_captions_in_full_and_cut(tmp_path, letter):
    names = [letter * (230 // len(letter.encode())) + number for number in ("one", "two")]
    wanted = items(*(f"{safe_name(name)}__0" for name in names))
    for spelled in (names, [safe_name(name) for name in names]):
        files = [f"{name}__0.wav" for name in spelled]
        folder = tmp_path / f"made{len(spelled[0])}"
        folder.mkdir()
        for file in files:
            write_wav(tmp_path / "sound.wav", np.full(160, 0.1, np.float32))
            (tmp_path / "sound.wav").rename(folder / file)  # others write without a longer name in between
        assert [path.name for path in Folder(str(folder)).sounds(wanted, 0, tmp_path)] == files


def test_a_folder_may_hold_several_seeds(tmp_path):
    for seed in (0, 4):
        fill(tmp_path / f"made/seed{seed}", "a.wav")
    system = Folder(str(tmp_path / "made"))
    assert system.is_seeded
    assert system.sounds(items("a__0"), 4, tmp_path)[0].parent.name == "seed4"
    with pytest.raises(UserError, match="seed1 holds no sound"):
        system.sounds(items("a__0"), 1, tmp_path)


def test_a_complete_folder_serves_a_part_of_the_list(tmp_path):
    system = fill(tmp_path / "made", "output_0.wav", "output_1.wav", "output_2.wav")
    part = items("a__0", "b__0", "c__0").first(2)
    assert [path.name for path in system.sounds(part, 0, tmp_path)] == ["output_0.wav", "output_1.wav"]
    (tmp_path / "made/seed9.wav").write_bytes((tmp_path / "made/output_0.wav").read_bytes())
    with pytest.raises(UserError, match=r"belong to no caption, such as seed9\.wav"):
        Folder(str(tmp_path / "made")).sounds(part, 0, tmp_path)


def test_sounds_are_made_once_and_the_rest_after_a_stop(tmp_path):
    system, calls = WhiteNoise(), []

    def make(batch, seeds):
        calls.append([item.name for item in batch])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return [np.full(160, seed % 7 / 10 + 0.1, np.float32) for seed in seeds]

    def run(settings=None, seed=0):
        return made(
            system, settings or {"a": 1}, items("a__0", "b__0", "c__0"), seed, tmp_path, make, batch_size=2
        )

    with pytest.raises(KeyboardInterrupt):
        run()
    paths = run()
    assert calls == [["a__0", "b__0"], ["c__0"], ["c__0"]]
    assert [path.name for path in paths] == ["a__0.wav", "b__0.wav", "c__0.wav"]
    run()
    assert len(calls) == 3
    run({"a": 2})
    run(seed=1)
    assert len(calls) == 7


def test_a_sound_does_not_depend_on_what_else_is_made(tmp_path):
    one = WhiteNoise().sounds(items("b__0"), 0, tmp_path / "one")
    two = WhiteNoise().sounds(items("a__0", "b__0"), 0, tmp_path / "two")
    np.testing.assert_array_equal(read_audio(one[0]), read_audio(two[1]))
    other = WhiteNoise().sounds(items("b__0"), 1, tmp_path / "one")
    assert np.abs(read_audio(other[0]) - read_audio(one[0])).max() > 0.1


def test_baselines_are_what_their_names_say(tmp_path):
    silent = read_audio(Silence().sounds(items("a__0"), 0, tmp_path)[0])
    noise = read_audio(WhiteNoise().sounds(items("a__0"), 0, tmp_path)[0])
    assert len(silent) == len(noise) == 16000
    assert not silent.any()
    assert noise.std() == pytest.approx(0.1, rel=0.05)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[:4000].mean() == pytest.approx(spectrum[4000:].mean(), rel=0.1)
    with pytest.raises(UserError, match="1 of 1 reference sounds are missing"):
        Reference().sounds(items("a__0"), 0, tmp_path)
