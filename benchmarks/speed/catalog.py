"""The standard set: what ``python -m benchmarks`` measures, and what else can be named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from audiolcm.distributed.hardware import Hardware
from audiolcm.errors import UserError
from benchmarks.speed.case import KINDS, Case, read_case


@dataclass(frozen=True)
class Contest:
    """Cases that are measured together.

    Args:
        name: how it is typed, and its file is called.
        title: what it is about, a heading.
        cases: their names.
        axis: what grows from case to case (a field of ``Case``); "" where the cases are measured by turns.
        standard: whether it belongs to the standard set.
        device: on which kind of device it is measured; "" is any.
    """

    name: str
    title: str
    cases: tuple[str, ...]
    axis: str = ""
    standard: bool = True
    device: str = ""

    def read(self) -> list[Case]:
        """Return its cases."""
        return [read_case(name) for name in self.cases]


def _grown(
    name: str, title: str, case: str, axis: str, values: Sequence[object], device: str = ""
) -> Contest:
    grown = (replace(read_case(case), **{axis: value}).name for value in values)
    return Contest(name, title, tuple(grown), axis, device=device)


_DURATIONS, _BATCHES, _STEPS = (1, 2, 5, 10, 20, 30), (1, 2, 4, 8, 16, 32), range(1, 9)
_SIZES = ("tiny", "base", "medium", "large", "xl")

_ALL = (
    Contest(
        "denoiser",
        "One call of the denoiser",
        (
            "denoiser-base-float32",
            "denoiser-base-bfloat16",
            "denoiser-base-int8",
            "released-denoiser-base-float32",
            "released-denoiser-base-bfloat16",
        ),
    ),
    Contest(
        "synthesis",
        "Text to waveform with the light vocoder",
        (
            "synthesis-base-bfloat16-istft",
            "warm-synthesis-base-bfloat16-istft",
            "released-synthesis-base-float32",
        ),
    ),
    Contest(
        "synthesis-bigvgan",
        "Text to waveform with BigVGAN",
        (
            "synthesis-base-bfloat16-bigvgan",
            "synthesis-base-float32-bigvgan",
            "released-synthesis-base-float32",
        ),
    ),
    Contest(
        "sampler", "Noise to latents", ("sampler-base-float32", "sampler-base-bfloat16", "sampler-base-int8")
    ),
    Contest(
        "decoder",
        "Latents to mel",
        ("decoder-base-float32", "decoder-base-bfloat16", "released-decoder-base-float32"),
    ),
    Contest(
        "vocoder",
        "Mel to waveform",
        ("vocoder-base-float32-istft", "vocoder-base-float32-bigvgan", "released-vocoder-base-float32"),
    ),
    Contest(
        "training",
        "Training steps of the replica",
        (
            "training-tiny-autoencoder",
            "training-tiny-vocoder",
            "training-tiny-teacher",
            "training-tiny-student",
        ),
    ),
    Contest(
        "distillation",
        "One distillation step",
        ("distillation-base-bfloat16-b8", "released-distillation-base-float32-b8"),
    ),
    Contest(
        "distillation-float32",
        "One distillation step in float32",
        ("distillation-base-float32-b8", "released-distillation-base-float32-b8"),
        standard=False,
    ),
    Contest("starts", "Starts", ("start-tiny-generate", "start-tiny-help", "start-tiny-import")),
    _grown("durations", "Duration of the sound", "denoiser-base-bfloat16", "seconds", _DURATIONS),
    _grown("batches", "Sounds at once, denoiser", "denoiser-base-bfloat16", "batch", _BATCHES),
    _grown("sizes", "Size of the model", "denoiser-base-bfloat16", "size", _SIZES),
    _grown("steps", "Steps of sampling", "sampler-base-bfloat16", "steps", _STEPS),
    _grown(
        "clips", "Clips in one call, text to waveform", "synthesis-base-bfloat16-istft", "batch", _BATCHES[:5]
    ),
    _grown(
        "distillation-sizes",
        "Distillation step and size",
        "distillation-base-bfloat16-b8",
        "size",
        _SIZES[1:],
        "cuda",
    ),
    Contest("main-job", "The main job from nothing", ("main-job-tiny",), standard=False),
)
CONTESTS = {contest.name: contest for contest in _ALL}


def precisions() -> list[str]:
    """Return the precisions that this version of the package computes in."""
    return [name for name in ("float32", "bfloat16", "int8") if _is_known(name)]


def _is_known(precision: str) -> bool:
    try:
        Hardware(precision=precision)
    except UserError:
        return False
    return True


def standard() -> list[Contest]:
    """Return what is measured where nothing is named, on this machine."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return [possible(one) for one in _ALL if one.standard and one.device in ("", device)]


def possible(contest: Contest) -> Contest:
    """Return the contest without cases in a precision that this version does not know."""
    known = {"", *precisions()}
    return replace(contest, cases=tuple(name for name in contest.cases if read_case(name).precision in known))


def chosen(names: Sequence[str]) -> list[Contest]:
    """Return the contests that are named; cases that are named are measured by turns, as one contest.

    Raises:
        UserError: there is nothing of a name.
    """
    if not names:
        return standard()
    contests = [possible(CONTESTS[name]) for name in names if name in CONTESTS]
    cases = tuple(read_case(name).name for name in names if name not in CONTESTS)
    return contests + ([Contest("_".join(cases), "Chosen", cases)] if cases else [])


def listed() -> str:
    """Return all that can be named, for people."""
    width = max(map(len, CONTESTS))
    lines = [f"{one.name:{width}}  {one.title}: {' '.join(one.cases)}" for one in _ALL]
    return "\n".join([*lines, "", f"Kinds of a single case: {', '.join(KINDS)}.", ""])
