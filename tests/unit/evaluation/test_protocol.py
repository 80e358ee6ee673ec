import csv

import numpy as np
import pytest
import soundfile

from audiolcm.audio.io import read_audio, write_wav
from audiolcm.errors import UserError
from evaluation.item_names import safe_name
from evaluation.protocol import Protocol
from evaluation.sound import SoundReader

RNG = np.random.default_rng(0)


def manifest(folder, rows, split="test"):
    """Write a corpus with one tone for each distinct sound; ``rows`` are (name, sound, caption)."""
    for sound in {row[1] for row in rows}:
        write_wav(folder / sound, RNG.normal(size=16000).astype(np.float32) / 10)
    with (folder / "manifest.tsv").open("w", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t")
        writer.writerow(["name", "audio_path", "caption", "split"])
        writer.writerows([*row, split] for row in rows)
    return {"_target_": "audiolcm.data.corpora.manifest.ManifestCorpus", "root": str(folder), "duration": 2.0}


def audiocaps(folder, rows):
    with (folder / "list.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["youtube_id", "start_time", "caption"])
        writer.writerows(rows)
    return {"_target_": "audiolcm.data.corpora.audiocaps.AudioCaps", "root": str(folder)}


def protocol(**settings):
    return Protocol(**{"name": "mine", "title": "mine", "reader": SoundReader()} | settings)


def test_captions_of_one_sound_are_numbered_and_share_a_reference(tmp_path):
    rows = [
        ("b", "b.wav", "rain"),
        ("a", "a.wav", "a dog"),
        ("b2", "b.wav", "it rains"),
        ("b3", "b.wav", "drops"),
    ]
    test_set = protocol().test_set(manifest(tmp_path, rows), tmp_path / "cache")
    assert [item.name for item in test_set.items] == ["b__0", "a__0", "b__1", "b__2"]
    assert [item.clip.caption for item in test_set.items] == ["rain", "a dog", "it rains", "drops"]
    assert [path.stem for path in test_set.references] == ["b", "a"]
    assert test_set.items[2].clip_name == "b"
    assert (test_set.seconds, test_set.padded_to) == (2.0, 2.0)
    np.testing.assert_allclose(read_audio(test_set.references[1]), read_audio(tmp_path / "a.wav"), atol=1e-7)


def test_a_list_is_read_in_its_order_and_its_counts_are_checked(tmp_path):
    data = audiocaps(tmp_path, [("x", "10", "one"), ("y", "0", "two"), ("x", "10", "three")])
    settings = {"table": "list.csv", "dataset": "audiocaps", "num_items": 3, "num_references": 2}
    test_set = protocol(**settings, seconds=9.984).test_set(data, tmp_path)
    assert [item.name for item in test_set.items] == ["Yx__0", "Yy__0", "Yx__1"]
    assert (test_set.seconds, test_set.padded_to) == (9.984, 0.0)
    with pytest.raises(UserError, match=r"mine has 4 captions, but .*list\.csv gives 3"):
        protocol(**settings | {"num_items": 4}).test_set(data, tmp_path)
    with pytest.raises(UserError, match="3 reference clips"):
        protocol(**settings | {"num_references": 3}).test_set(data, tmp_path)


def test_the_list_may_lie_elsewhere_and_must_be_there(tmp_path):
    data = audiocaps(tmp_path, [("x", "10", "one")])
    (tmp_path / "lists").mkdir()
    (tmp_path / "list.csv").rename(tmp_path / "lists/list.csv")
    with pytest.raises(UserError, match=r"list\.csv is missing.*protocol\.captions"):
        protocol(table="list.csv").test_set(data, tmp_path)
    found = protocol(table="list.csv", captions=str(tmp_path / "lists")).test_set(data, tmp_path)
    assert len(found.items) == 1
    with pytest.raises(UserError, match=r"dataset\.root=.*AUDIOLCM_DATA"):
        protocol(table="list.csv").test_set(data | {"root": None}, tmp_path)


def test_a_protocol_of_another_data_set_is_refused(tmp_path):
    data = audiocaps(tmp_path, [("x", "10", "one")])
    with pytest.raises(UserError, match="defined on dataset=clotho, not on audiocaps"):
        protocol(table="list.csv", dataset="clotho").test_set(data, tmp_path)


def test_missing_references_are_counted_and_named(tmp_path):
    data = audiocaps(tmp_path, [("x", "10", "one"), ("y", "0", "two"), ("z", "5", "three")])
    soundfile.write(tmp_path / "Yy.wav", RNG.normal(size=16000) / 10, 16000)
    test_set = protocol(table="list.csv").test_set(data, tmp_path)
    with pytest.raises(UserError, match="2 of 3 reference sounds are missing.*Yx"):
        test_set.require_references()
    assert [item.name for item in test_set.with_references().items] == ["Yy__0"]
    test_set.with_references().require_references()


def test_bad_rows_are_no_smaller_test_set(tmp_path):
    data = manifest(tmp_path, [("a", "a.wav", "rain"), ("b", "b.wav", "wind")])
    (tmp_path / "b.wav").write_bytes(b"no sound")
    with pytest.raises(UserError, match="1 of 2 rows cannot be used.*row 3"):
        protocol().test_set(data, tmp_path / "cache")


def test_empty_splits_and_odd_numbers_of_clips_are_told(tmp_path):
    data = manifest(tmp_path, [("a", "a.wav", "rain"), ("b", "b.wav", "wind")])
    with pytest.raises(UserError, match="holds no usable clip|is empty"):
        protocol(split="validation").test_set(data, tmp_path / "cache")
    test_set = protocol().test_set(data, tmp_path / "cache")
    assert len(test_set.first(1).items) == 1 and len(test_set.first(None).items) == 2
    with pytest.raises(UserError, match="num_clips=3 is out of range"):
        test_set.first(3)


def test_another_caption_changes_the_fingerprint(tmp_path):
    prints = set()
    for caption in ("one", "two"):
        data = audiocaps(tmp_path, [("x", "10", caption)])
        prints.add(protocol(table="list.csv").test_set(data, tmp_path).fingerprint)
    assert len(prints) == 2


def test_names_that_become_one_file_are_refused(tmp_path):
    data = manifest(tmp_path, [("x/y", "a.wav", "rain"), ("x-y", "b.wav", "wind")])
    with pytest.raises(UserError, match="1 names of clips are those of others .* such as x-y"):
        protocol().test_set(data, tmp_path / "cache")


def test_long_names_are_cut_and_stay_different(tmp_path):
    names = ["n" * 254 + number for number in "12"]
    data = manifest(tmp_path, [(names[0], "a.wav", "Rain falls"), (names[1], "b.wav", "Wind blows")])
    found = protocol().test_set(data, tmp_path / "cache")
    assert all(path.is_file() for path in found.references)
    assert len({item.name for item in found.items}) == len(found.references) == 2
    assert {item.clip.name for item in found.items} == set(names)
    assert max(len(f".{item.name}.wav.01234567.partial") for item in found.items) <= 255
    assert safe_name("a/b") == "a-b"
    assert safe_name("n" * 228) == "n" * 228


def test_no_reference_at_all_is_told(tmp_path):
    data = audiocaps(tmp_path, [("x", "10", "one")])
    with pytest.raises(UserError, match="None of the 1 reference sounds is there"):
        protocol(table="list.csv").test_set(data, tmp_path).with_references()


def published_clotho(folder, name="clotho_captions_evaluation.csv"):
    with (folder / name).open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file_name", *(f"caption_{number}" for number in range(1, 6))])
        writer.writerows(
            [f"{clip}.wav", *(f"{clip} {number}" for number in range(1, 6))] for clip in ("b", "a")
        )
    return {
        "_target_": "audiolcm.data.corpora.clotho.Clotho",
        "root": str(folder),
        "test": "clotho_captions_evaluation.csv",
    }


def test_a_list_is_made_of_the_published_table_where_it_is_not_there(tmp_path):
    settings = {"table": ["own.tsv", "also.tsv"], "from_published": "all", "num_items": 2}
    data = published_clotho(tmp_path)
    made = protocol(**settings).test_set(data, tmp_path)
    assert [(item.name, item.clip.caption) for item in made.items] == [("b__0", "b 1"), ("a__0", "a 1")]
    assert "clotho_captions_evaluation.csv as the corpus publishes it" in made.notes[0]
    (tmp_path / "also.tsv").write_text(
        "name\tori_cap\tcaption\taudio_path\nx.wav\tplain\t<plain& all>\tx.wav\n"
    )
    own = protocol(**settings | {"num_items": 1}).test_set(data, tmp_path)
    assert [(item.name, item.clip.caption) for item in own.items] == [("x__0", "plain")] and not own.notes


def test_a_list_that_cannot_be_made_says_where_it_is_had(tmp_path):
    data = published_clotho(tmp_path)
    with pytest.raises(UserError, match=r"own\.tsv is missing in .*It is on the shelf\. Or give the folder"):
        protocol(table="own.tsv", source="It is on the shelf.").test_set(data, tmp_path)
    with pytest.raises(UserError, match="from_published=some is unknown: choose all, audiolcm_900x5"):
        protocol(table="own.tsv", from_published="some").test_set(data, tmp_path)
    with pytest.raises(UserError, match="has no column audiocap_id, by which tango_886 is chosen"):
        protocol(table="own.tsv", from_published="tango_886").test_set(data, tmp_path)


def test_a_table_that_holds_several_splits_may_be_a_list_as_a_whole(tmp_path):
    with (tmp_path / "musiccaps-public.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["ytid", "start_s", "caption", "is_audioset_eval"])
        writer.writerows([f"id{number:09d}", 0, str(number), number % 3 == 0] for number in range(9))
    data = {"_target_": "audiolcm.data.corpora.musiccaps.MusicCaps", "root": str(tmp_path)}
    whole = protocol(table="musiccaps-public.csv", split="all").test_set(data, tmp_path)
    assert [item.clip.caption for item in whole.items] == [str(number) for number in range(9)]


@pytest.mark.parametrize("setting", [{"seconds": 0}, {"seconds": -1.0}, {"reference_seconds": float("nan")}])
def test_lengths_that_are_none_are_refused(setting):
    with pytest.raises(UserError, match="must be above 0, or null"):
        protocol(**setting)
