"""The evaluator's losses: classes of sounds and of frames, and each sound nearest to its own caption."""

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiolcm.objectives.objective import Batch, Scalars
from audiolcm.random_numbers import Generator, of_example
from audiolcm.types import Mel
from evaluation.embedded.network import EvaluatorNetwork, Heard
from evaluation.features.mel import LOG_FLOOR, log_mel


class EvaluatorObjective(nn.Module):
    """Binary cross-entropy of the classes, of each frame where events are known, and a contrastive loss (InfoNCE).

    Args:
        model: the network to train.
        frame_weight: of the frames' loss.
        caption_weight: of the contrastive loss.
    """

    def __init__(
        self, model: EvaluatorNetwork, frame_weight: float = 1.0, caption_weight: float = 0.5
    ) -> None:
        super().__init__()
        self.trained = nn.ModuleDict({"model": model})
        self.frame_weight, self.caption_weight = frame_weight, caption_weight

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Return the network's parameters."""
        return {"evaluator": list(self.trained["model"].parameters())}

    def losses(self, batch: Batch, step: int, generator: Generator) -> Iterator[tuple[str, Tensor, Scalars]]:
        """Yield the one loss, in nats: sums over the classes, means over sounds and frames."""
        model = self.trained["model"].train()
        one = of_example(generator, 0)  # sounds are mixed with each other: the batch draws as a whole
        mixture = augment(log_mel(batch["waveform"]), one)
        heard = _with_dropout_from(one, model, mixture.spectrogram)
        classes = _cross_entropy(heard.logits, mixture.union(batch["labels"]))
        frames = _frame_loss(heard, mixture.union(batch["frames"]), batch["knows_events"])
        same = (batch["caption"][:, None] == batch["caption"]).float()
        wanted = mixture.blend(same / same.sum(1, keepdim=True))
        # pyrefly: ignore[bad-argument-type, not-callable]  (torch types a module's attributes as Tensor | Module)
        captions = _contrast(heard, model.read(batch["text"]), model.temperature, wanted)
        loss = classes + self.frame_weight * frames + self.caption_weight * captions
        scalars = {"classes": classes.detach(), "frames": frames.detach(), "captions": captions.detach()}
        # pyrefly: ignore[invalid-yield]  (dict is invariant; nothing is written into it)
        yield "evaluator", loss, scalars

    def after_step(self, step: int) -> None:
        """Do nothing."""

    @torch.no_grad()
    def validate(self, batch: Batch, generator: Generator) -> dict[str, float]:
        """Return how well the batch is told apart.

        That is ``accuracy``: how often the likeliest class is among a sound's labels; ``retrieval``: how often the
        nearest caption of the batch is the sound's own; ``frames``: the loss of the frames.
        """
        model = self.trained["model"].eval()
        heard = model(log_mel(batch["waveform"]))
        top = heard.logits.argmax(1, keepdim=True)
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        nearest = (heard.joint.float() @ model.read(batch["text"]).float().T).argmax(1)
        return {
            "accuracy": float(batch["labels"].gather(1, top).mean()),
            "retrieval": float((batch["caption"][nearest] == batch["caption"]).float().mean()),
            "frames": float(_frame_loss(heard, batch["frames"], batch["knows_events"])),
        }

    def product(self) -> nn.Module:
        """Return the network."""
        return self.trained["model"]


def _with_dropout_from(generator: torch.Generator, model: nn.Module, spectrogram: Mel) -> Heard:
    """Return what the model hears; dropout draws from torch's global state, which is seeded for this one call."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        return model(spectrogram)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross-entropy, summed over the classes, meant over the rest."""
    return F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none").sum(-1).mean()


def _frame_loss(heard: Heard, targets: Tensor, knows_events: Tensor) -> Tensor:
    """Return the mean over the frames of the sounds whose events are known; 0 when there are none."""
    if not knows_events.any():
        return heard.frames.new_zeros(())
    frames = heard.frames[knows_events]
    return _cross_entropy(frames, targets[knows_events, : frames.shape[1]])


def _contrast(heard: Heard, captions: Tensor, temperature: Tensor, wanted: Tensor) -> Tensor:
    """Return the cross-entropy of which caption belongs to a sound; ``wanted`` (batch, batch) are its probabilities."""
    similarity = heard.joint.float() @ captions.float().T / temperature.exp()
    return -(wanted * similarity.log_softmax(1)).sum(1).mean()


_MIXED = 0.5  # of the examples get company
_QUIETEST = 0.05  # share of the power that company has at least: labels count it as heard
_BAND_MASK = 8  # one less is the longest, in bands


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Changed examples (batch, 64, frames): each has ``share`` (batch,) of the power, example ``other`` the rest."""

    spectrogram: Mel
    share: Tensor
    other: Tensor

    def blend(self, weights: Tensor) -> Tensor:
        """Return the mean of (batch, ...) over what is mixed, weighted by the shares."""
        share = _along(self.share, weights)
        return share * weights + (1 - share) * weights[self.other]

    def union(self, targets: Tensor) -> Tensor:
        """Return what is heard (1) or not (0) in the mixed examples, (batch, ...): what is heard in either."""
        return torch.where(_along(self.share, targets) < 1, targets.maximum(targets[self.other]), targets)


def augment(x: Mel, generator: torch.Generator) -> Mixture:
    """Return examples of other recordings: half of them mixed in power with another one, with bands masked."""
    x = _recorded_elsewhere(x, generator)
    batch = len(x)
    company = _QUIETEST + (0.5 - _QUIETEST) * torch.rand(batch, generator=generator)
    share = 1 - company * (torch.rand(batch, generator=generator) < _MIXED)
    other = torch.randperm(batch, generator=generator).to(x.device)
    share = share.to(x)
    x = torch.logaddexp(x + _along(share, x).log(), x[other] + (1 - _along(share, x)).log())
    for example in x:
        for _ in range(2):
            _mask_bands(example, generator)
    return Mixture(x, share, other)


def _recorded_elsewhere(x: Mel, generator: torch.Generator) -> Mel:
    """Return examples with another level, color of the channel and noise floor."""
    batch, bands, _ = x.shape
    corners = 0.7 * torch.randn(batch, 1, 6, generator=generator)
    color = F.interpolate(corners, bands, mode="linear", align_corners=True).transpose(1, 2)
    level = 1.5 * torch.randn(batch, 1, 1, generator=generator)
    noise_floor = math.log(LOG_FLOOR) + 6.0 * torch.rand(batch, 1, 1, generator=generator)
    return torch.logaddexp(x + (color + level).to(x), noise_floor.to(x).expand_as(x))


def _mask_bands(example: Tensor, generator: torch.Generator) -> None:
    """Set up to 7 neighboring bands of (64, frames) to the mean of the example, in place."""
    width = int(torch.randint(_BAND_MASK, (), generator=generator))
    start = int(torch.randint(len(example) - width + 1, (), generator=generator))
    example[start : start + width] = example.mean()


def _along(values: Tensor, like: Tensor) -> Tensor:
    """Return values (batch,) with as many axes as ``like``."""
    return values.view(-1, *[1] * (like.ndim - 1))
