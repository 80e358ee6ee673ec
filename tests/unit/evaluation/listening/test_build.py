"""The command `build`: what is asked, what the page holds, what it must not tell, and what it refuses."""

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from building import AMOUNTS, build
from records import HOSTILE, make_record
from sklearn.utils import murmurhash3_32

from audiolcm.audio.io import read_audio, write_wav
from evaluation.listening.__main__ import main
from evaluation.listening.key import LOW_ANCHOR, REFERENCE, ListeningKey, read_key
from evaluation.listening.questions import mixed, order_for
from evaluation.listening.stimuli import low_pass_filter, low_passed


def test_every_system_has_the_same_items_under_each_question(key: ListeningKey) -> None:
    for question in ("quality", "faithfulness"):
        mine = [trial for trial in key.trials if trial.question == question]
        scored = [trial for trial in mine if trial.is_scored]
        items = {
            row: sorted(t.item for t in scored if t.system == row)
            for row in ("one", "two", REFERENCE, LOW_ANCHOR)
        }
        assert items["one"] == items["two"] == items[REFERENCE] == [f"clip{i}__0" for i in range(5)]
        assert len(items[LOW_ANCHOR]) == 2 and set(items[LOW_ANCHOR]) < set(items["one"])
        assert sum(trial.choose is not None for trial in mine) == 2
        repeats = [trial for trial in mine if trial.repeats]
        assert len(repeats) == 2
        for trial in repeats:
            first = key.by_token[trial.repeats]
            assert (first.sound, first.shown, first.system) == (trial.sound, trial.shown, trial.system)


def test_captions_are_shown_for_faithfulness_alone_and_wrong_ones_in_the_low_anchor(
    key: ListeningKey,
) -> None:
    true = {f"clip{i}__0": f"Tone number {i}, a bell" for i in range(1, 5)} | {"clip0__0": HOSTILE}
    for trial in key.trials:
        if trial.choose is not None:
            assert f"choose {trial.choose} (" in trial.shown
        elif trial.question == "quality":
            assert trial.shown == ""
        else:
            assert (trial.shown == true[trial.item]) == (trial.system != LOW_ANCHOR)
            assert trial.shown in true.values()


def sounds_of(folder: Path) -> dict[str, np.ndarray]:
    page = (folder / "listening.html").read_text()
    content = json.loads(re.search('id="test">(.*?)</script>', page)[1])
    sounds = {}
    for token, uri in content["sounds"].items():
        head, data = uri.split(",", 1)
        assert head == "data:audio/flac;base64"
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
        assert rate == 16000
        sounds[token] = samples
    return sounds


def test_each_trial_has_the_sound_that_the_key_names(built: Path, key: ListeningKey, runs: Path) -> None:
    sounds = sounds_of(built)
    for trial in key.trials:
        if trial.choose is not None:
            continue
        folder, kind = (
            ("one", "reference") if trial.system in (REFERENCE, LOW_ANCHOR) else (trial.system, "generated")
        )
        expected = read_audio(runs / folder / kind / f"{trial.item}.wav")
        if (trial.system, trial.question) == (LOW_ANCHOR, "quality"):
            expected = low_passed(expected)
        assert sounds[trial.sound] == pytest.approx(expected, abs=1e-4)
        assert trial.seconds == 0.1


def test_page_does_not_tell_who_made_a_sound(built: Path, key: ListeningKey) -> None:
    page = re.sub('base64,[^"]*', "", (built / "listening.html").read_text())
    content = json.loads(re.search('id="test">(.*?)</script>', page)[1])
    assert [trial["token"] for trial in content["trials"]] == sorted(key.by_token)
    assert list(content["sounds"]) == sorted(content["sounds"])
    assert {field for trial in content["trials"] for field in trial} == {
        "token",
        "question",
        "sound",
        "kind",
        "shown",
    }
    assert not re.search(r"low_anchor|clip\d__0|runs|\bone=|\btwo=", page)
    assert len({len(token) for token in key.by_token}) == 1


def test_page_cannot_be_broken_by_a_caption_and_has_no_eval(built: Path) -> None:
    page = (built / "listening.html").read_text()
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page
    assert "eval(" not in page and "Function(" not in page
    assert "default-src &#x27;none&#x27;" in page and "unsafe" not in page and "http://" not in page


def test_same_seed_draws_the_same_items_under_other_tokens(runs: Path, tmp_path: Path) -> None:
    keys = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        assert build(runs, tmp_path / name, *AMOUNTS, "--seed", seed) == 0
        keys.append(read_key(tmp_path / name / "key.json"))
    drawn = [{trial.item for trial in found.trials if trial.is_scored} for found in keys]
    assert drawn[0] == drawn[1] != drawn[2]
    assert not keys[0].by_token.keys() & keys[1].by_token.keys()


def test_plain_folder_joins_runs_by_the_names_of_its_clips(runs: Path, tmp_path: Path) -> None:
    captions = ["--captions", str(runs / "captions.csv"), "--items", "4", *AMOUNTS[2:]]
    assert (
        main(["build", f"one={runs / 'one'}", f"p={runs / 'plain'}", "-o", str(tmp_path / "t"), *captions])
        == 0
    )
    found = read_key(tmp_path / "t" / "key.json")
    sounds = sounds_of(tmp_path / "t")
    plain = [trial for trial in found.trials if trial.system == "p" and trial.is_scored]
    assert {trial.item for trial in plain} == {f"clip{i}__0" for i in range(1, 5)}
    assert all(sounds[trial.sound] == pytest.approx(0.1, abs=1e-4) for trial in plain)


def test_plain_folder_alone_takes_true_sounds_from_its_table(runs: Path, tmp_path: Path) -> None:
    command = ["build", f"p={runs / 'plain'}", "-o", str(tmp_path / "t"), *AMOUNTS]
    assert main([*command, "--captions", str(runs / "captions.csv")]) == 0
    assert any(trial.system == REFERENCE for trial in read_key(tmp_path / "t" / "key.json").trials)


def test_long_sounds_are_cut(runs: Path, tmp_path: Path) -> None:
    assert build(runs, tmp_path / "t", *AMOUNTS, "--max-seconds", "0.05") == 0
    assert {len(sound) for sound in sounds_of(tmp_path / "t").values()} == {800}


def test_no_true_sound_is_longer_than_what_the_systems_made(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    for path in (tmp_path / "runs/one/reference").glob("*.wav"):
        write_wav(path, np.tile(read_audio(path), 3))
    assert build(tmp_path / "runs", tmp_path / "t", *AMOUNTS) == 0
    found, sounds = read_key(tmp_path / "t" / "key.json"), sounds_of(tmp_path / "t")
    true = [trial for trial in found.trials if trial.system in (REFERENCE, LOW_ANCHOR)]
    assert true and {len(sounds[trial.sound]) for trial in true} == {1600}
    assert {trial.seconds for trial in true} == {0.1}


def test_low_anchor_is_that_of_the_recommendation() -> None:
    """ITU-R BS.1534-3: within 0.1 dB up to 3.5 kHz, 25 dB down at 4 kHz, 50 dB at 4.5 kHz."""
    taps = low_pass_filter()
    hertz = np.fft.rfftfreq(1 << 14, 1 / 16000)
    decibel = 20 * np.log10(np.abs(np.fft.rfft(taps, 1 << 14)) + 1e-12)
    assert np.abs(decibel[hertz <= 3500]).max() < 0.1
    assert decibel[hertz >= 4000].max() < -25
    assert decibel[hertz >= 4500].max() < -50
    time = np.arange(16000) / 16000
    low, high = np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 6000 * time)
    middle = slice(2000, -2000)
    assert low_passed(low + high)[middle] == pytest.approx(low[middle], abs=2e-3)


def test_order_depends_on_the_rater_alone() -> None:
    fnv1a = {"": 0x811C9DC5, "a": 0xE40C292C, "foobar": 0xBF9CF968}  # published test vectors
    for text, value in fnv1a.items():
        # Of nothing: the finalizer alone
        assert mixed(text) == murmurhash3_32(b"", seed=value, positive=True)
    tokens = [f"{number:012x}" for number in range(50)]
    assert order_for("ann", tokens) == order_for("ann", reversed(tokens)) != order_for("bob", tokens)
    firsts = [order_for(f"r{rater}", tokens[:5])[0] for rater in range(2000)]
    assert all(320 < firsts.count(token) < 480 for token in tokens[:5])  # 400 each, 4.5 standard deviations


def refusal(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    capsys.readouterr()
    assert main(["build", *command]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def test_mistakes_are_one_message(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, plain, output = f"one={runs / 'one'}", f"p={runs / 'plain'}", ["-o", str(tmp_path / "t")]
    for command, message in (
        ([str(runs / "one")], "names no system: write NAME=FOLDER"),
        ([one, one], "the name one is taken"),
        ([f"reference={runs / 'one'}"], "the name reference is taken"),
        ([plain], "holds no metrics.json: give the folder of an evaluate.py run, or add --captions"),
        ([f"x={runs / 'nothing'}", "--captions", str(runs / "captions.csv")], "is no folder"),
        ([plain, "--captions", str(runs / "none.csv")], "give --captions a file with the columns"),
        ([one, "--items", "6"], "--items 6: the systems have 5 clips in common (one 5). Ask for fewer."),
        ([one, "--items", "1"], "--items 1 must be 2 or more"),
        ([one, "--max-seconds", "0"], "--max-seconds 0.0 is out of range: 0.01 to 600"),
        ([one, "--questions", "beauty"], "'beauty' is no question"),
        ([one, "--mturk", "http://a.org"], "give the https address"),
        ([one, "--mturk", "https://a.org", "--clips-per-hit", "0"], "--clips-per-hit 0 must be 1 or more"),
    ):
        assert message in refusal(capsys, *command, *output)
    assert not (tmp_path / "t").exists()


def test_systems_must_agree_on_captions_and_know_the_true_sounds(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, output = f"one={runs / 'one'}", ["-o", str(tmp_path / "t"), *AMOUNTS]
    record = make_record(tmp_path / "odd", 5, 0.1)
    spoken = tuple(replace(clip, caption="Another") for clip in record.clips)
    replace(record, clips=spoken).write(tmp_path / "odd" / "metrics.json")
    assert "has the caption" in refusal(capsys, one, f"odd={tmp_path / 'odd'}", *output)
    renamed = tuple(replace(clip, name=f"x{clip.name}") for clip in record.clips)
    replace(record, clips=renamed).write(tmp_path / "odd" / "metrics.json")
    assert "have no clip in common (one: clip0__0, odd: xclip0__0)" in refusal(
        capsys, one, f"odd={tmp_path / 'odd'}", *output
    )
    alone = tuple(replace(clip, reference=None) for clip in record.clips)
    replace(record, clips=alone).write(tmp_path / "odd" / "metrics.json")
    told = refusal(capsys, f"odd={tmp_path / 'odd'}", *output)
    assert "is not known, so there is no hidden reference" in told
    assert main(["build", f"odd={tmp_path / 'odd'}", *output, "--without-anchors"]) == 0
    assert {trial.system for trial in read_key(tmp_path / "t" / "key.json").trials} == {"odd", ""}
    assert "without it the answers of that test are worth nothing" in refusal(
        capsys, f"odd={tmp_path / 'odd'}", *output, "--without-anchors"
    )


def test_damaged_sound_is_named_and_leaves_no_key(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_record(tmp_path / "odd", 3, 0.1).write(tmp_path / "odd" / "metrics.json")
    (tmp_path / "odd" / "generated" / "clip1__0.wav").write_bytes(b"RIFF")
    told = refusal(capsys, f"odd={tmp_path / 'odd'}", "-o", str(tmp_path / "t"), *AMOUNTS)
    assert "clip1__0.wav" in told
    write_wav(tmp_path / "odd" / "generated" / "clip1__0.wav", 0.1 * np.ones(319))
    told = refusal(capsys, f"odd={tmp_path / 'odd'}", "-o", str(tmp_path / "t"), *AMOUNTS)
    assert "clip1__0.wav has 319 samples at 16 kHz" in told
    assert not (tmp_path / "t").exists()


def test_other_captions_of_the_same_clip_are_not_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(3):
        write_wav(tmp_path / "p" / f"dog__{index}.wav", 0.1 * np.ones(1600))
    rows = [f"dog,Caption {index},p/dog__0.wav" for index in range(3)]
    (tmp_path / "captions.csv").write_text("\n".join(["name,caption,audio_path", *rows]) + "\n")
    command = [f"p={tmp_path / 'p'}", "-o", str(tmp_path / "t"), "--captions", str(tmp_path / "captions.csv")]
    assert "No other drawn clip has another caption than dog__" in refusal(capsys, *command, *AMOUNTS)
    assert main(["build", *command, *AMOUNTS, "--questions", "quality"]) == 0
