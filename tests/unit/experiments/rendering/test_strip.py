"""The picture and the sounds that a README shows of a model."""

import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audiolcm.data.foley import FoleyCorpus
from experiments.__main__ import main

CAPTIONS = [
    "A dog barks",
    "rain on $5 & $6 <b>tins</b>",
    "a bell, far away, tolls three times and then fades",
]


class Model:
    """Makes noise, and keeps what it was asked for."""

    asked: tuple[object, ...]

    def __call__(self, captions: list[str], duration: float, seed: int, **words: object) -> SimpleNamespace:
        self.asked = (captions, duration, seed, words)
        draws = np.random.default_rng(0)
        sounds = draws.uniform(-1.2, 1.2, (len(captions), round(16000 * duration))).astype(np.float32)
        return SimpleNamespace(waveforms=sounds)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    made = Model()
    monkeypatch.setattr("audiolcm.pipeline.AudioLCM.from_checkpoint", lambda path: made)
    return made


def test_picture_and_sounds_are_small_and_of_the_captions(tmp_path: Path, model: Model) -> None:
    words = [*CAPTIONS, "birds", "a train"]
    assert main(["strip", "here", *words, "--out", str(tmp_path / "new/images"), "--steps", "2"]) == 0
    assert model.asked == (words, 2.56, 0, {"steps": 2, "omega": None})
    picture = (tmp_path / "new/images/strip.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 4 * height and len(picture) < 200_000
    sounds = sorted((tmp_path / "new/images").glob("*.ogg"))
    names = [
        "a-bell-far-away-tolls-three-times-and-then-fades",
        "a-dog-barks",
        "a-train",
        "birds",
        "rain-on-5-6-b-tins-b",
    ]
    assert [path.stem for path in sounds] == names
    assert sum(path.stat().st_size for path in sounds) < 300_000
    for path in sounds:
        assert soundfile.info(path).duration == pytest.approx(2.56)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a dog!", "A dog."], "Two captions would be the same file, a-dog.ogg"),
        ([f"sound {number}" for number in range(9)], "at most; 9 were given"),
        (["a dog", "--duration", "90"], "duration"),
        (["a dog", "--beside", "--steps", "2"], "leave out --steps"),
    ],
)
def test_what_cannot_be_made_is_one_message_and_writes_nothing(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strip", "nowhere", *words, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


BESIDE = ["A lamb bleating two times", "A car horn honks softly three times"]


def test_beside_the_true_sound_stand_teacher_and_student(tmp_path: Path) -> None:
    assert (
        main(["strip", "embedded:foley", *BESIDE, "--beside", "--duration", "2", "--out", str(tmp_path)]) == 0
    )
    width, height = struct.unpack(">II", (tmp_path / "beside.png").read_bytes()[16:24])
    assert width > 3 * height
    kinds = ["student-1-step", "student-2-steps", "student-4-steps", "teacher-50-steps", "true"]
    slugs = ["a-car-horn-honks-softly-three-times", "a-lamb-bleating-two-times"]
    assert [path.stem for path in sorted(tmp_path.glob("*.ogg"))] == [
        f"{slug}-{kind}" for slug in slugs for kind in kinds
    ]
    heard, _ = soundfile.read(tmp_path / f"{slugs[1]}-true.ogg")
    corpus = FoleyCorpus()
    (clip,) = [clip for clip in corpus.clips("test") if clip.caption == BESIDE[0]]
    assert np.corrcoef(heard, corpus.waveform(clip)[: len(heard)])[0, 1] > 0.95, "what Vorbis leaves of it"


def test_beside_only_captions_of_test_clips_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strip", "embedded:foley", "a unicorn", "--beside", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "No test clip of foley has the caption 'a unicorn'" in said and not (tmp_path / "out").exists()
