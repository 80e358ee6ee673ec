"""What is counted of a prepared corpus, on imitated corpora of the paper's Table 4."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiolcm.data.corpora import AudioCaps, Esc50, Fsd50k, Mix, SidecarCorpus
from audiolcm.data.manifest import Corpus
from audiolcm.data.preparing.census import census, origin
from audiolcm.data.preparing.prepare import prepare


def sound(path: Path, seconds: float, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * 16000))
    soundfile.write(path, noise, 16000)


def audiocaps(root: Path) -> Path:
    """One clip with two captions, one with one, one that is missing."""
    sound(root / "Yabc.wav", 2.0)
    sound(root / "Ydef.wav", 1.0, 1)
    (root / "train.csv").write_text(
        "youtube_id,caption\nabc,A dog\nabc,A hound\ndef,A cat\ngone,A cow\n", encoding="utf-8"
    )
    return root


def fsd50k(root: Path) -> Path:
    """Three clips of three, one and two labels, in three splits."""
    rows = 'fname,labels,mids,split\n1,"Electric_guitar,Guitar,Music",x,train\n2,Dog,x,val\n'
    (root / "FSD50K.ground_truth").mkdir(parents=True)
    (root / "FSD50K.ground_truth" / "dev.csv").write_text(rows)
    (root / "FSD50K.ground_truth" / "eval.csv").write_text('fname,labels,mids\n3,"Rain,Wind",x\n')
    for number, (part, seconds) in enumerate((("dev", 1.0), ("dev", 2.0), ("eval", 3.0)), start=1):
        sound(root / f"FSD50K.{part}_audio" / f"{number}.wav", seconds, number)
    return root


def counted(corpus: Corpus, cache: Path) -> dict[str, int | float]:
    return census(prepare(corpus, cache, progress=False), corpus)


def test_a_sound_counts_once_and_each_caption(tmp_path: Path) -> None:
    figures = counted(AudioCaps(str(audiocaps(tmp_path / "audiocaps"))), tmp_path / "cache")
    assert figures == {
        "num_clips": 2, "num_captions": 3, "hours": pytest.approx(3.0 / 3600), "share_written": 1.0,
        "share_from_labels": 0.0, "share_from_names": 0.0, "labels_a_row": 0.0, "num_bad_rows": 1,
    }  # fmt: skip


def test_captions_of_labels_are_known_and_all_splits_count(tmp_path: Path) -> None:
    figures = counted(Fsd50k(str(fsd50k(tmp_path / "fsd50k"))), tmp_path / "cache")
    assert (figures["num_clips"], figures["share_from_labels"], figures["labels_a_row"]) == (3, 1.0, 2.0)
    assert figures["hours"] == pytest.approx(6.0 / 3600)


def test_esc_has_a_sentence_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    names = [f"{fold}-10{fold}-A-0.wav" for fold in (1, 2, 3)]
    rows = [f"{name},{fold},0,dog,False,10{fold},A" for fold, name in enumerate(names, start=1)]
    header = "filename,fold,target,category,esc10,src_file,take"
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join([header, *rows]))
    for number, name in enumerate(names):
        sound(tmp_path / "audio" / name, 5.0, number)
    figures = counted(Esc50(str(tmp_path)), tmp_path / "cache")
    assert (figures["num_clips"], figures["share_from_labels"], figures["labels_a_row"]) == (3, 1.0, 1.0)


def test_a_mix_tells_of_the_whole_and_of_each_part(tmp_path: Path) -> None:
    audiocaps(tmp_path / "audiocaps")
    fsd50k(tmp_path / "fsd50k")
    sound(tmp_path / "odeon" / "doors" / "Door slams 03.wav", 4.0)
    corpora = {
        "audiocaps": AudioCaps(),
        "fsd50k": Fsd50k(),
        "odeon": SidecarCorpus(captions_from_names=True, validation_every=0, name="odeon"),
    }
    figures = counted(Mix(corpora, str(tmp_path)), tmp_path / "cache")
    assert (figures["num_clips"], figures["num_captions"], figures["num_bad_rows"]) == (6, 7, 1)
    assert figures["hours"] == pytest.approx(13.0 / 3600)
    assert (figures["audiocaps/share_written"], figures["audiocaps/num_captions"]) == (1.0, 3)
    assert (figures["fsd50k/labels_a_row"], figures["fsd50k/hours"]) == (2.0, pytest.approx(6.0 / 3600))
    assert (figures["odeon/share_from_names"], figures["odeon/labels_a_row"]) == (1.0, 1.0)
    shares = [figures[f"share_{kind}"] for kind in ("written", "from_labels", "from_names")]
    assert shares == [pytest.approx(n / 7) for n in (3, 3, 1)]


def test_a_written_caption_of_a_labelled_sound_is_written() -> None:
    assert origin("A dog barks twice", ("dog",), "audio/1.wav") == "written"
    assert origin("A dog is barking", ("dog",), "audio/1.wav") == "from_labels"
    assert origin("A dog is barking", ("dog", "rain"), "audio/1.wav") == "written"
    assert origin("The sound of dog and rain", ("Dog", "rain"), None) == "from_labels"
    assert origin("", (), None) == "written"
