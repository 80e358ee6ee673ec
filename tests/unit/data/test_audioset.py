import math
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import AudioSet
from audiolcm.errors import UserError

CLASSES = """index,mid,display_name
0,/m/09x0r,Speech
1,/m/05zppz,"Male speech, man speaking"
137,/m/04rlf,Music
153,/m/05r5c,Piano
74,/m/0bt9lr,Dog
"""
SPEECH, MALE, MUSIC, PIANO, DOG = "/m/09x0r", "/m/05zppz", "/m/04rlf", "/m/05r5c", "/m/0bt9lr"
KINDS = [(SPEECH,), (MUSIC,), (SPEECH, DOG), (MUSIC, PIANO), (DOG,), (PIANO,), (MALE,)]
FILTERED = 4  # of KINDS carry Speech or Music


def write_lists(root: Path, rows: list[tuple[str, tuple[str, ...]]], name: str = "unbalanced_train") -> None:
    root.mkdir(exist_ok=True)
    (root / "class_labels_indices.csv").write_text(CLASSES)
    lines = [
        "# Segments csv created Sun Mar  5 10:54:31 2017",
        "# YTID, start_seconds, end_seconds, positive_labels",
    ]
    lines += [f'{youtube_id}, 30.000, 40.000, "{",".join(mids)}"' for youtube_id, mids in rows]
    (root / f"{name}_segments.csv").write_text("\n".join(lines) + "\n")


def synthetic(count: int) -> list[tuple[str, tuple[str, ...]]]:
    return [(f"id{number:08d}", KINDS[number % len(KINDS)]) for number in range(count)]


def names(corpus: AudioSet, *splits: str) -> set[str]:
    return {clip.name for split in splits or ("train", "validation") for clip in corpus.clips(split)}


@pytest.mark.parametrize(("share", "seed"), [(0.05, 0), (0.05, 1), (0.3, 0)])
def test_the_share_of_speech_and_music_that_stays_is_binomial(
    tmp_path: Path, share: float, seed: int
) -> None:
    rows = synthetic(21_000)
    write_lists(tmp_path, rows)
    kept = names(AudioSet(str(tmp_path), kept_share=share, seed=seed))
    dominant = [f"Y{youtube_id}" for youtube_id, mids in rows if {SPEECH, MUSIC} & set(mids)]
    others = {f"Y{youtube_id}" for youtube_id, mids in rows} - set(dominant)
    assert others <= kept  # Piano and Male speech alone are neither Music nor Speech
    count = len(dominant)
    assert count == 21_000 * FILTERED // len(KINDS)
    stayed = len(kept & set(dominant))
    assert abs(stayed - share * count) < 4 * math.sqrt(count * share * (1 - share))


def test_the_choice_depends_on_seed_and_id_alone(tmp_path: Path) -> None:
    rows = synthetic(3000)
    write_lists(tmp_path / "a", rows)
    shuffled = rows[::2]
    random.Random(0).shuffle(shuffled)
    write_lists(tmp_path / "b", shuffled)
    whole = names(AudioSet(str(tmp_path / "a"), kept_share=0.2))
    half = names(AudioSet(str(tmp_path / "b"), kept_share=0.2))
    assert half == whole & {f"Y{youtube_id}" for youtube_id, _ in shuffled}
    assert names(AudioSet(str(tmp_path / "a"), kept_share=0.2, seed=1)) != whole
    # A smaller share is a part of a larger one
    assert names(AudioSet(str(tmp_path / "a"), kept_share=0.1)) < whole


def test_bounds_of_the_share(tmp_path: Path) -> None:
    rows = synthetic(700)
    write_lists(tmp_path, rows)
    assert len(names(AudioSet(str(tmp_path), kept_share=1.0))) == 700
    assert len(names(AudioSet(str(tmp_path), kept_share=0.0))) == 300
    with pytest.raises(UserError, match="kept_share=1.5 is a share"):
        AudioSet(str(tmp_path), kept_share=1.5)


def test_labels_may_be_named_by_mid_or_name_and_must_be_known(tmp_path: Path) -> None:
    write_lists(tmp_path, synthetic(700))
    by_name = names(AudioSet(str(tmp_path), kept_share=0.0, filtered_labels=["Male speech, man speaking"]))
    assert by_name == names(AudioSet(str(tmp_path), kept_share=0.0, filtered_labels=[MALE]))
    assert len(by_name) == 600
    with pytest.raises(UserError, match="filtered_labels has 'speech', which .*class_labels"):
        AudioSet(str(tmp_path), filtered_labels=["speech"]).clips("train")


def test_clips_and_splits(tmp_path: Path) -> None:
    write_lists(tmp_path, [("abc", (DOG, MALE)), ("-dash", (DOG,))], "balanced_train")
    write_lists(tmp_path, [(f"talk{n}", (SPEECH,)) for n in range(40)], "eval")  # never filtered
    path = tmp_path / "clips" / "Yabc_30.000_40.000.flac"
    path.parent.mkdir()
    soundfile.write(path, np.zeros(160), 16000)
    corpus = AudioSet(str(tmp_path), validation_every=0)
    first, second = corpus.clips("train")
    assert first.audio_path == path
    assert first.labels == ("Dog", "Male speech, man speaking")
    assert first.caption == "The sound of dog and male speech, man speaking"
    assert (second.name, second.row) == ("Y-dash", 4)
    assert len(corpus.clips("test")) == 40
    held_out = AudioSet(str(tmp_path), validation_every=1)
    assert names(held_out, "validation") == {"Yabc", "Y-dash"}


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="put AudioSet's lists there"):
        AudioSet(str(tmp_path)).clips("train")
    write_lists(tmp_path, [("abc", (DOG,))])
    with (tmp_path / "unbalanced_train_segments.csv").open("a") as file:
        file.write("broken, 1\n")
    good, bad = AudioSet(str(tmp_path), validation_every=0).clips("train")
    assert (good.name, good.problem) == ("Yabc", "")
    assert (bad.name, bad.row) == ("Ybroken", 4)
    assert "2 fields instead of four" in bad.problem
    (tmp_path / "unbalanced_train_segments.csv").write_bytes(b"caf\xe9, 1, 2, x\n")
    with pytest.raises(UserError, match=r"unbalanced_train_segments\.csv cannot be read"):
        AudioSet(str(tmp_path)).clips("train")
