import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from corpus_in_memory import CorpusInMemory, clip, corpus_of
from torch import Tensor, nn

from audiolcm.data.loading.batches import bucketed_indices
from audiolcm.data.loading.dataset import LatentClips, MelClips, WaveformClips, encode_latents, encode_text
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.errors import UserError


class HalvingEncoder(nn.Module):
    """Latents that can be checked by hand: mean = means of four bands over two frames, std = 0.01 * |mean| + 0.1."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(float("nan") if broken else 1.0))
        self.shapes: list[tuple[int, ...]] = []

    def encode(self, mel: Tensor) -> SimpleNamespace:
        self.shapes.append(tuple(mel.shape))
        mean = self.weight * mel.unflatten(1, (4, 20)).mean(2).unflatten(2, (-1, 2)).mean(3)
        return SimpleNamespace(mean=mean, std=0.01 * mean.abs() + 0.1)


class CountingTextEncoder:
    num_tokens = 3
    width = 5

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, captions: list[str], structured: list[str]) -> Tensor:
        self.seen += zip(captions, structured, strict=True)
        values = [[len(a) + 100 * len(b)] for a, b in zip(captions, structured, strict=True)]
        return torch.tensor(values, dtype=torch.float32)[:, :, None].expand(-1, 3, 5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def split(tmp_path: Path) -> PreparedSplit:
    """Twelve clips of 0.5 to 1.4 s (31 to 87 frames) with four captions."""
    return prepare(corpus_of(12), tmp_path / "cache", progress=False).split("train")


def test_mel_batches_are_parts_of_the_clips(split: PreparedSplit) -> None:
    clips = MelClips(split, num_frames=40)
    assert len(clips) == 12
    assert clips.names([2, 0]) == ["clip2", "clip0"]
    batch = clips.batch([0, 5, 5, 9], generator())
    assert {name: (tuple(x.shape), x.dtype) for name, x in batch.items()} == {
        "mel": ((4, 80, 40), torch.float32)
    }
    short = split.mel(0)
    assert short.shape[1] == 31
    np.testing.assert_array_equal(batch["mel"][0, :, :31], short)
    assert (batch["mel"][0, :, 31:] == -5).all()
    whole = split.mel(5)
    places = [s for s in range(whole.shape[1] - 39) if np.array_equal(whole[:, s : s + 40], batch["mel"][1])]
    assert len(places) == 1
    assert len(torch.unique(clips.batch([5] * 8, generator())["mel"], dim=0)) > 1  # each draws its own place


def test_waveform_batches_are_parts_of_the_clips(split: PreparedSplit) -> None:
    batch = WaveformClips(split, num_samples=9000).batch([0, 9], generator())["waveform"]
    assert (tuple(batch.shape), batch.dtype) == ((2, 9000), torch.float32)
    np.testing.assert_array_equal(batch[0, :8000], split.waveform(0))
    assert (batch[0, 8000:] == 0).all()
    whole = split.waveform(9)
    assert any(np.array_equal(whole[s : s + 9000], batch[1]) for s in range(len(whole) - 8999))


def test_every_place_of_a_clip_is_drawn(split: PreparedSplit) -> None:
    clips = MelClips(split, num_frames=84)  # clip 9 has 87 frames: four places
    rows = {tuple(clips.batch([9], generator(seed))["mel"][0, 0].tolist()) for seed in range(60)}
    assert len(rows) == 4


def test_batches_are_functions_of_indices_and_generator(split: PreparedSplit, tmp_path: Path) -> None:
    latents = encode_latents(HalvingEncoder(), split, tmp_path, min_frames=40, progress=False)
    text = encode_text(CountingTextEncoder(), split, tmp_path, progress=False)
    for clips in (MelClips(split, 40), WaveformClips(split, 999), LatentClips(latents, text, 20, 2.0)):
        first, other = clips.batch([3, 1, 7], generator(5)), clips.batch([3, 1, 7], generator(6))
        again = clips.batch([3, 1, 7], generator(5))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)


def test_latents_are_those_of_the_padded_mels(split: PreparedSplit, tmp_path: Path) -> None:
    encoder = HalvingEncoder()
    latents = encode_latents(encoder, split, tmp_path, min_frames=60, batch_size=3, progress=False)
    assert max(shape[0] for shape in encoder.shapes) <= 3
    assert len(latents) == len(split)
    for index in range(len(split)):
        mel = split.mel(index)
        frames = max(60, mel.shape[1] // 2 * 2)
        padded = np.full((1, 80, frames), -5.0, np.float32)
        kept = min(frames, mel.shape[1])
        padded[0, :, :kept] = mel[:, :kept]
        expected = HalvingEncoder().encode(torch.from_numpy(padded))
        assert latents.num_frames(index) == frames // 2
        np.testing.assert_allclose(latents.mean(index), expected.mean[0].detach(), atol=1e-6)
        np.testing.assert_allclose(latents.std(index), expected.std[0].detach(), atol=1e-6)


def test_latent_batches_are_scaled_draws_from_the_posterior(split: PreparedSplit, tmp_path: Path) -> None:
    latents = encode_latents(HalvingEncoder(), split, tmp_path, min_frames=32, progress=False)
    text = encode_text(CountingTextEncoder(), split, tmp_path, progress=False)
    # Clip 0: no choice of place
    clips = LatentClips(latents, text, num_frames=latents.num_frames(0), scale_factor=0.5)
    draws = torch.cat([clips.batch([0] * 50, generator(seed))["latent"] for seed in range(20)])
    mean, std = torch.from_numpy(latents.mean(0).copy()), torch.from_numpy(latents.std(0).copy())
    assert ((draws.mean(0) - 0.5 * mean).abs() / std).max() < 0.5 * 5 / 1000**0.5
    torch.testing.assert_close(draws.std(0), 0.5 * std, rtol=0.15, atol=0)
    batch = clips.batch([4, 0], generator())
    assert (tuple(batch["latent"].shape), tuple(batch["text"].shape)) == ((2, 4, 16), (2, 3, 5))
    assert batch["latent"].dtype == batch["text"].dtype == torch.float32
    expected = [len(split.clips[i].caption) + 100 * len(split.clips[i].structured_caption) for i in (4, 0)]
    assert batch["text"][:, 0, 0].tolist() == expected
    assert clips.names([4]) == ["clip4"]


def test_every_caption_is_encoded_once(split: PreparedSplit, tmp_path: Path) -> None:
    encoder = CountingTextEncoder()
    text = encode_text(encoder, split, tmp_path, batch_size=2, progress=False)
    assert encoder.seen == [("", ""), *((f"Sound {i}", f"<Sound {i}& all>") for i in range(4))]
    assert (text.unconditional() == 0).all()
    many = CorpusInMemory({"train": [clip(f"c{i}", caption="x" * (1 + i % 4)) for i in range(9)]})
    other = prepare(many, tmp_path / "many", progress=False).split("train")
    tokens = encode_text(encoder, other, tmp_path / "many", progress=False)
    lengths = [len(one.caption) + 100 * len(one.structured_caption) for one in other.clips]
    assert [tokens.tokens(index)[0, 0] for index in range(9)] == lengths
    encoder.seen = encoder.seen[:5]
    assert text.unconditional().shape == (3, 5)
    encode_text(encoder, split, tmp_path, progress=False)
    assert len(encoder.seen) == 5, "the cache was not used"


def test_latents_are_cached_and_keyed_by_length(split: PreparedSplit, tmp_path: Path) -> None:
    encoder = HalvingEncoder()
    encode_latents(encoder, split, tmp_path, min_frames=40, progress=False)
    calls = len(encoder.shapes)
    encode_latents(encoder, split, tmp_path, min_frames=40, progress=False)
    assert len(encoder.shapes) == calls
    assert encode_latents(encoder, split, tmp_path, min_frames=100, progress=False).num_frames(0) == 50


def test_clips_with_one_sound_are_encoded_once(tmp_path: Path) -> None:
    same = [clip(f"c{i}", caption=f"caption {i}") for i in range(5)]
    same = [dataclasses.replace(one, audio_path=tmp_path / "shared.wav") for one in same]
    split = prepare(CorpusInMemory({"train": same}), tmp_path / "cache", progress=False).split("train")
    encoder = HalvingEncoder()
    latents = encode_latents(encoder, split, tmp_path, progress=False)
    assert [shape[0] for shape in encoder.shapes] == [1]
    assert len(latents) == 5
    np.testing.assert_array_equal(latents.mean(0), latents.mean(4))


def test_mistakes(split: PreparedSplit, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        encode_latents(HalvingEncoder(broken=True), split, tmp_path / "broken", progress=False)
    latents = encode_latents(HalvingEncoder(), split, tmp_path, progress=False)
    text = encode_text(CountingTextEncoder(), split, tmp_path, progress=False)
    with pytest.raises(UserError, match="min_frames"):
        LatentClips(latents, text, num_frames=40, scale_factor=1.0)
    with pytest.raises(UserError, match="num_frames=0"):
        MelClips(split, 0)


def test_length_buckets_pad_short_clips_less(split: PreparedSplit, tmp_path: Path) -> None:
    edges = (40, 60)  # mel frames; clips have 31, 37, 43, 50, 56, 62, ... 87
    latents = encode_latents(HalvingEncoder(), split, tmp_path, min_frames=edges, progress=False)
    frames = [split.num_frames(index) for index in range(len(split))]
    expected = [20 if n <= 40 else 30 if n <= 60 else n // 2 for n in frames]
    assert latents.frames_of_clips().tolist() == expected
    text = encode_text(CountingTextEncoder(), split, tmp_path, progress=False)
    clips = LatentClips(latents, text, [20, 30], 1.0)
    assert clips.bucket_of.tolist() == [0 if n <= 40 else 1 for n in frames]
    for step in range(10):
        indices = bucketed_indices(clips.bucket_of, 3, step, seed=0)
        length = 20 if frames[indices[0]] <= 40 else 30
        assert clips.batch(indices, generator())["latent"].shape == (3, 4, length)
    with pytest.raises(ValueError, match="unpack"):
        clips.batch([0, 9], generator())
    with pytest.raises(UserError, match="min_frames"):
        LatentClips(latents, text, [20, 35], 1.0)


def test_one_bucket_is_no_bucket(split: PreparedSplit, tmp_path: Path) -> None:
    one = encode_latents(HalvingEncoder(), split, tmp_path, min_frames=[60], progress=False)
    same = encode_latents(HalvingEncoder(), split, tmp_path, min_frames=60, progress=False)
    text = encode_text(CountingTextEncoder(), split, tmp_path, progress=False)
    assert LatentClips(one, text, [30], 1.0).bucket_of is None
    for index in range(len(split)):
        np.testing.assert_array_equal(one.mean(index), same.mean(index))
