"""The judge of class hit rates: it learns, it is stored whole, and its figures equal the formulas."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from audiolcm.audio.io import write_wav
from audiolcm.errors import UserError
from audiolcm.training.hardware import Hardware
from evaluation.judge import FRONT_END, Judge, JudgeNetwork, fit_duration, load_judge, log_mel
from evaluation.judge_training import LabeledClips, augment, train_judge
from evaluation.metrics.rate import wilson_interval
from evaluation.recognition import main, markdown, read_folder, score

RATE = 16000
HARDWARE = Hardware(device="cpu", precision="float32")


def sounds(per_class: int, seed: int) -> LabeledClips:
    """Falling chirps and bursts of noise of 1 s, of random level and start; half of each class in fold 1."""
    random = np.random.default_rng(seed)
    names, waveforms, labels = [], [], []
    for label in ("chirp", "noise_burst"):
        for i in range(per_class):
            t = np.arange(RATE) / RATE
            if label == "chirp":
                wave = np.sin(2 * np.pi * (random.uniform(1500, 2500) * t - 500 * t * t))
            else:
                wave = random.normal(size=RATE) * np.exp(-8 * np.abs(t - random.uniform(0.2, 0.8)))
            names.append(f"{1 + i % 2}-{label}{i}-A")
            waveforms.append(wave * random.uniform(0.05, 0.3))
            labels.append(label)
    return LabeledClips(tuple(names), np.stack(waveforms).astype(np.float32), tuple(labels), 1.0)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return train_judge(sounds(4, seed=1), epochs=32, seed=0, hardware=HARDWARE)


@pytest.fixture
def folder(tmp_path):
    """Two chirps and one burst of noise that is called a chirp."""
    clips = sounds(2, seed=3)
    for i, waveform in enumerate(clips.waveforms[:3]):
        write_wav(tmp_path / "made" / f"chirp__{i}.wav", waveform)
    return tmp_path / "made"


def untrained(classes=("chirp", "noise_burst")) -> Judge:
    torch.manual_seed(0)
    return Judge(JudgeNetwork(len(classes)).eval(), classes, 1.0, {"held_out": None})


class TestJudge:
    def test_learns_two_classes(self, judge):
        result = score(judge, sounds(20, seed=2))
        assert result["hit_rate"] == 1.0
        assert result["per_class"] == {"chirp": 1.0, "noise_burst": 1.0}
        assert result["clips"] == 40

    def test_wrong_labels_are_misses(self, judge):
        clips = sounds(4, seed=2)
        swapped = dataclasses.replace(clips, labels=clips.labels[::-1])
        assert score(judge, swapped)["hit_rate"] == 0.0

    def test_same_seed_same_weights(self):
        clips = sounds(2, seed=1)
        state = torch.random.get_rng_state()
        first, again, other = (
            train_judge(clips, 2, seed, HARDWARE).network.state_dict() for seed in (0, 0, 1)
        )
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["classes.weight"], other["classes.weight"])
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_hears_a_sound_the_same_in_any_company(self, judge):
        waveforms = sounds(20, seed=4).waveforms  # more than one batch
        features, classes = judge.listen(waveforms)
        alone, alone_class = judge.listen(waveforms[33:34])
        np.testing.assert_allclose(features[33:34], alone, rtol=1e-4, atol=1e-4)
        assert features.shape == (40, 128) and classes[33] == alone_class[0]

    def test_features_ignore_the_level(self, judge):
        waveforms = sounds(2, seed=4).waveforms[:2] + 0.01 * np.random.default_rng(0).normal(size=(2, RATE))
        loud, _ = judge.listen(waveforms * 3)
        np.testing.assert_allclose(judge.listen(waveforms)[0], loud, rtol=0.05, atol=0.05)


class TestFrontEnd:
    def test_shape_and_silence(self):
        silence = log_mel(torch.zeros(3, RATE))
        assert silence.shape == (3, 64, 101)
        torch.testing.assert_close(silence, torch.full_like(silence, np.log(1e-5)))

    def test_tone_lies_in_its_band(self):
        tone = torch.sin(2 * torch.pi * 1000 * torch.arange(RATE) / RATE)[None]
        hertz_of_mel = lambda mel: 700 * (10 ** (mel / 2595) - 1)  # noqa: E731 (the HTK scale)
        edges = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (50, 8000)), 66)
        centers = hertz_of_mel(edges[1:-1])
        assert log_mel(tone)[0].mean(1).argmax() == np.abs(centers - 1000).argmin()

    def test_duration(self):
        assert fit_duration(np.ones(20000, np.float32), 1.0).shape == (RATE,)
        padded = fit_duration(np.ones(100, np.float32), 1.0)
        assert padded.shape == (RATE,) and padded.sum() == 100 and padded[99] == 1


class TestAugmentation:
    def test_shapes_and_soft_labels(self):
        torch.manual_seed(0)
        x = log_mel(torch.from_numpy(sounds(3, seed=0).waveforms))
        before = x.clone()
        targets = torch.eye(2).repeat_interleave(3, 0)
        out, soft = augment(x, targets)
        assert out.shape == (6, 64, 60) and out.isfinite().all()
        torch.testing.assert_close(soft.sum(1), torch.ones(6))
        assert (soft * targets).sum(1).min() >= 0.5  # the example stays the louder part of its mixture
        assert torch.equal(x, before)


class TestFile:
    def test_round_trip(self, judge, tmp_path):
        path = tmp_path / "judge.safetensors"
        judge.save(path)
        loaded = load_judge(path)
        waveforms = sounds(3, seed=5).waveforms
        for mine, theirs in zip(judge.listen(waveforms), loaded.listen(waveforms), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert (loaded.classes, loaded.duration, loaded.facts) == (judge.classes, 1.0, judge.facts)
        with safe_open(path, "pt") as file:
            assert file.metadata()["front_end"] == FRONT_END

    def test_other_front_end_is_refused(self, tmp_path):
        path = tmp_path / "judge.safetensors"
        untrained().save(path)
        save_file(load_file(path), path, {"front_end": "log-mel-64-v0"})
        with pytest.raises(UserError, match="log-mel-64-v0, not log-mel-64-v1"):
            load_judge(path)

    def test_what_is_no_judge(self, tmp_path):
        with pytest.raises(UserError, match="no judge at .*missing.safetensors"):
            load_judge(tmp_path / "missing.safetensors")
        (tmp_path / "text.safetensors").write_text("hello, this is text")
        with pytest.raises(UserError, match="not a safetensors file"):
            load_judge(tmp_path / "text.safetensors")
        save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
        with pytest.raises(UserError, match="holds no judge"):
            load_judge(tmp_path / "other.safetensors")


class TestFolder:
    def test_hits_are_counted(self, judge, folder):
        result = score(judge, read_folder(folder, judge))
        assert result["clips"] == 3 and result["hit_rate"] == pytest.approx(2 / 3)
        assert result["interval"] == wilson_interval(2, 3)

    def test_label_may_hold_underscores(self, tmp_path):
        write_wav(tmp_path / "noise_burst__12.wav", np.full(4000, 0.1, np.float32))
        clips = read_folder(tmp_path, untrained())
        assert clips.labels == ("noise_burst",) and clips.waveforms.shape == (1, RATE)

    @pytest.mark.parametrize("name", ["chirp.wav", "chirp_0.wav", "chirp__a.wav", "chirp__.wav"])
    def test_bad_name(self, folder, name):
        write_wav(folder / name, np.zeros(100, np.float32))
        with pytest.raises(UserError, match=f"{name}: the name must be <label>__<i>.wav"):
            read_folder(folder, untrained())

    def test_unknown_label(self, folder):
        write_wav(folder / "whale__0.wav", np.zeros(100, np.float32))
        with pytest.raises(UserError, match="whale__0.wav: .*'whale'. It knows: chirp, noise_burst"):
            read_folder(folder, untrained())

    def test_empty_folder(self, tmp_path):
        with pytest.raises(UserError, match="holds no .wav file"):
            read_folder(tmp_path, untrained())


class TestHoldOut:
    def test_by_name(self):
        training, held_out = sounds(4, seed=0).hold_out(2)
        assert len(training) == len(held_out) == 4
        assert all(name.startswith("2-") for name in held_out.names)
        assert not set(training.names) & set(held_out.names)

    @pytest.mark.parametrize("fold", [3, 12])
    def test_fold_without_clips(self, fold):
        with pytest.raises(UserError, match=f"--holdout-fold {fold}: no clip name starts with '{fold}-'"):
            sounds(4, seed=0).hold_out(fold)

    def test_class_in_one_fold_only(self):
        clips = sounds(2, seed=0)
        with pytest.raises(UserError, match="every clip of class 'noise_burst'"):
            clips.select([0, 1, 3]).hold_out(2)


class TestCommandLine:
    def test_score(self, judge, folder, tmp_path, capsys):
        judge.save(tmp_path / "judge.safetensors")
        output = tmp_path / "scores.json"
        command = ["score", "--judge", str(tmp_path / "judge.safetensors"), str(folder), "-o", str(output)]
        assert main(command) == 0
        printed = capsys.readouterr().out
        assert printed.splitlines()[0] == "| folder | clips | hit rate | 95% interval | chirp |"
        assert printed.splitlines()[2] == f"| {folder} | 3 | 0.667 | 0.208 to 0.939 | 0.67 |"
        assert "no held-out accuracy exists" in printed
        assert json.loads(output.read_text())["folders"][str(folder)]["hit_rate"] == pytest.approx(2 / 3)

    def test_folder_after_real(self, judge, folder, tmp_path, caplog):
        judge.save(tmp_path / "judge.safetensors")
        command = ["score", "--judge", str(tmp_path / "judge.safetensors"), str(folder)]
        assert main([*command, "--real", "dataset=esc10", "more"]) == 1
        assert "Folders go before --real" in caplog.text

    def test_train_and_score_against_real(self, tmp_path, capsys, caplog):
        """The whole path over a data set on disk: ESC names, hold-out, file, distance."""
        clips = sounds(4, seed=0)
        names = dict(zip(sorted(set(clips.labels)), ("dog", "rain"), strict=True))
        rows = ["filename,fold,label"]
        for name, waveform, label in zip(clips.names, clips.waveforms, clips.labels, strict=True):
            write_wav(tmp_path / "esc" / "audio" / f"{name}.wav", waveform)
            rows.append(f"{name}.wav,{name[0]},{names[label]}")
        (tmp_path / "esc" / "metadata.csv").write_text("\n".join(rows) + "\n")
        settings = [
            "dataset=esc10", f"dataset.root={tmp_path / 'esc'}", "dataset.duration=1.0",
            f"paths.cache={tmp_path / 'cache'}", "hardware=cpu_float32",
        ]  # fmt: skip
        path = tmp_path / "judge.safetensors"
        assert main(["train", *settings, "-o", str(path), "--holdout-fold", "2", "--epochs", "1"]) == 0
        held_out = load_judge(path).facts["held_out"]
        assert (held_out["fold"], held_out["clips"]) == (2, 4)
        for i, waveform in enumerate(clips.waveforms[:2]):
            write_wav(tmp_path / "made" / f"dog__{i}.wav", waveform)
        assert main(["score", "--judge", str(path), str(tmp_path / "made"), "--real", *settings]) == 0
        header = capsys.readouterr().out.splitlines()[0]
        assert header == "| folder | clips | hit rate | 95% interval | Frechet distance | dog |"
        (tmp_path / "made" / "dog__1.wav").unlink()
        assert main(["score", "--judge", str(path), str(tmp_path / "made"), "--real", *settings]) == 1
        assert f"Folder {tmp_path / 'made'}: The Frechet distance needs 2 rows" in caplog.text


def test_markdown_of_unlike_folders():
    rows = {
        "a": {"clips": 2, "hit_rate": 0.5, "interval": (0.1, 0.9), "per_class": {"dog": 0.5}},
        "b": {"clips": 1, "hit_rate": 1.0, "interval": (0.2, 1.0), "per_class": {"rain": 1.0}},
    }
    assert markdown(rows).splitlines()[2:] == [
        "| a | 2 | 0.500 | 0.100 to 0.900 | 0.50 | - |",
        "| b | 1 | 1.000 | 0.200 to 1.000 | - | 1.00 |",
    ]
