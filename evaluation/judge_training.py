"""Training of the judge: labeled clips of a prepared data set, augmentation, the loop."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from audiolcm.data.prepared import PreparedData
from audiolcm.errors import UserError
from audiolcm.training.hardware import Hardware
from audiolcm.types import Mel
from evaluation.judge import LOG_FLOOR, MIN_DURATION, Judge, JudgeNetwork, fit_duration, log_mel

BATCH_SIZE = 30
CROP = 0.6  # of the frames of a clip that a training example shows
PEAK_LEARNING_RATE = 4e-3


@dataclass(frozen=True)
class LabeledClips:
    """Clips of one label each: names, waveforms (N, samples) at 16 kHz, labels; ``duration`` in seconds."""

    names: tuple[str, ...]
    waveforms: np.ndarray
    labels: tuple[str, ...]
    duration: float

    def __len__(self) -> int:
        return len(self.names)

    def select(self, chosen: list[int]) -> "LabeledClips":
        """Return the clips at these positions."""
        names, labels = ([row[i] for i in chosen] for row in (self.names, self.labels))
        return LabeledClips(tuple(names), self.waveforms[chosen], tuple(labels), self.duration)

    def hold_out(self, fold: int) -> tuple["LabeledClips", "LabeledClips"]:
        """Return the clips to train on and those of ``fold``, whose names start with ``<fold>-`` as in ESC.

        Raises:
            UserError: when either side is empty, or a class lies in the held-out fold alone.
        """
        is_held = [name.startswith(f"{fold}-") for name in self.names]
        if not any(is_held) or all(is_held):
            found = "every" if all(is_held) else "no"
            raise UserError(
                f"--holdout-fold {fold}: {found} clip name starts with '{fold}-' (such as {self.names[0]!r}). "
                "Folds are read from ESC names, fold-source-take: choose one that some of the clips have."
            )
        training = self.select([i for i, held in enumerate(is_held) if not held])
        held_out = self.select([i for i, held in enumerate(is_held) if held])
        unseen = sorted(set(held_out.labels) - set(training.labels))
        if unseen:
            raise UserError(f"--holdout-fold {fold} holds every clip of class {unseen[0]!r}: choose another.")
        return training, held_out


def labeled_clips(data: PreparedData) -> LabeledClips:
    """Return every distinct sound of all splits whose clip has exactly one label.

    Raises:
        UserError: when there are fewer than two classes or clips are shorter than the judge can hear.
    """
    if data.duration < MIN_DURATION:
        raise UserError(
            f"dataset.duration={data.duration} s of {data.name}: the judge needs {MIN_DURATION} s."
        )
    names, waveforms, labels = [], [], []
    for split in (data.open_split(name) for name in data.splits):
        for index in split.sounds:
            clip = split.clips[index]
            if len(clip.labels) == 1:
                names.append(clip.name)
                labels.append(clip.labels[0])
                waveforms.append(fit_duration(split.waveform(index), data.duration))
    if len(set(labels)) < 2:
        raise UserError(
            f"{data.name} has {len(set(labels))} classes among clips with one label: a judge needs two or more. "
            "Choose a labeled data set, such as dataset=esc10."
        )
    return LabeledClips(tuple(names), np.stack(waveforms), tuple(labels), data.duration)


def train_judge(
    clips: LabeledClips, epochs: int, seed: int, hardware: Hardware, facts: dict[str, Any] | None = None
) -> Judge:
    """Return a judge of the classes of ``clips``; equal arguments give equal weights on one CPU.

    Soft-label cross-entropy of mixed examples, AdamW, one learning-rate cycle.
    """
    if epochs < 1:
        raise UserError(f"--epochs {epochs}: use 1 or more.")
    classes = tuple(sorted(set(clips.labels)))
    numbers = torch.tensor([classes.index(label) for label in clips.labels])
    targets = functional.one_hot(numbers, len(classes)).float()
    with torch.random.fork_rng():  # dropout draws from the global state, so everything here does
        torch.manual_seed(seed)
        network = JudgeNetwork(len(classes)).to(hardware.torch_device()).train()
        _fit(network, log_mel(torch.from_numpy(clips.waveforms)), targets, epochs, hardware)
    about = {"epochs": epochs, "seed": seed, "clips": len(clips), "held_out": None} | (facts or {})
    return Judge(network.cpu().eval(), classes, clips.duration, about)


def _fit(network: JudgeNetwork, spectrograms: Mel, targets: Tensor, epochs: int, hardware: Hardware) -> None:
    spectrograms, targets = (x.to(hardware.torch_device()) for x in (spectrograms, targets))
    batch_size = min(BATCH_SIZE, len(targets))
    per_epoch = len(targets) // batch_size
    num_steps = epochs * per_epoch
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=num_steps)
    with tqdm(total=num_steps, desc="train judge", unit="step", mininterval=5) as bar:
        for _ in range(epochs):
            for chosen in torch.randperm(len(targets))[: per_epoch * batch_size].split(batch_size):
                examples, soft_labels = augment(spectrograms[chosen], targets[chosen])
                with hardware.autocast():
                    logits = network(examples)
                loss = functional.cross_entropy(logits.float(), soft_labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def augment(x: Mel, targets: Tensor) -> tuple[Mel, Tensor]:
    """Return changed examples (B, 64, crop frames) and their soft labels; draws from torch's global state.

    What must not decide the class: where in time a sound lies, its level, the color of the channel and the noise
    floor of a recording. Then pairs are mixed in power (mixup), bands and frames masked, and a crop is taken.
    """
    batch, bands, frames = x.shape
    shifts = torch.randint(frames, (batch,)).tolist()
    x = torch.stack([clip.roll(shift, 1) for clip, shift in zip(x, shifts, strict=True)])
    color = functional.interpolate(
        0.7 * torch.randn(batch, 1, 6), bands, mode="linear", align_corners=True
    ).transpose(1, 2)
    x = x + (color + 1.5 * torch.randn(batch, 1, 1)).to(x.device)
    noise_floor = float(np.log(LOG_FLOOR)) + 6.0 * torch.rand(batch, 1, 1)
    x = torch.logaddexp(x, noise_floor.to(x).expand_as(x))
    share = torch.distributions.Beta(0.3, 0.3).sample((batch, 1, 1)).to(x)
    share = torch.maximum(share, 1 - share)  # the example itself stays the louder one
    other = torch.randperm(batch)
    x = torch.logaddexp(x + share.log(), x[other] + (1 - share + 1e-4).log())
    targets = share[:, 0] * targets + (1 - share[:, 0]) * targets[other]
    for example in x:
        for _ in range(2):
            _mask(example, 8)
            _mask(example.T, 40)
    length = int(CROP * frames)
    start = int(torch.randint(frames - length + 1, ()))
    return x[:, :, start : start + length], targets


def _mask(example: Tensor, longest: int) -> None:
    """Set up to ``longest`` - 1 neighboring rows to the mean of the example, in place."""
    width = int(torch.randint(longest, ()))
    start = int(torch.randint(example.shape[0] - width + 1, ()))
    example[start : start + width] = example.mean()
