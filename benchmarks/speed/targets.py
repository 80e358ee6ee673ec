"""The targets: what was promised, and what the newest results on each machine come to."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.speed.figures import (
    Figure,
    Machine,
    fastest_times_the_floor,
    most_sound_a_second,
    of_case,
    share_of_memory,
    times_an_earlier_commit,
    times_as_fast,
    times_the_floor,
)

AT_MOST, AT_LEAST = "at most", "at least"


@dataclass(frozen=True)
class Target:
    """A promise.

    Args:
        what, against: what is compared with what.
        bound: ``AT_MOST`` or ``AT_LEAST``.
        value: the promised number; None where a figure is only reported.
        figure: finds the measured number in the results of one machine.
        device: cpu or cuda.
        unit: of the number.
        ability: of the CPUs it is promised for; "" is all.
    """

    what: str
    against: str
    bound: str
    value: float | None
    figure: Figure
    device: str = "cpu"
    unit: str = "times"
    ability: str = ""

    def is_met(self, figure: float) -> str:
        """Return whether a measured number keeps the promise, in a word."""
        if self.value is None:
            return ""
        return "yes" if (figure <= self.value if self.bound == AT_MOST else figure >= self.value) else "no"

    def is_for(self, machine: Machine) -> bool:
        """Return whether it is promised for a machine."""
        return machine.device == self.device and self.ability in ("", machine.ability)

    @property
    def promise(self) -> str:
        """The promise in words."""
        return "reported" if self.value is None else f"{self.bound} {self.value:g} {self.unit}".strip()


_BEFORE = "5d7ea24"
_STEP, _RELEASED_STEP = "distillation-base-bfloat16-b8", "released-distillation-base-float32-b8"
_LIGHT, _LARGE = "synthesis-base-bfloat16-istft", "synthesis-base-bfloat16-bigvgan"
_RELEASED = "released-synthesis-base-float32"
_DENOISERS = ("denoiser-base-float32", "denoiser-base-bfloat16")
_LIGHT_WORDS = "text to waveform, 2 steps, 10 s, light vocoder, base"
_PIPELINE = "the released pipeline with BigVGAN, times as fast"
_PAPER_SIZES = {"B": "base", "M": "medium", "L": "large", "XL": "xl"}

_ON_CPUS = (
    Target(
        "denoiser call, batch 1, best precision", "the floor of its arithmetic", AT_MOST, 1.25,
        fastest_times_the_floor("denoiser", *_DENOISERS),
    ),
    Target(
        "the same, the worse of both precisions", "the released code, times as fast", AT_LEAST, 1,
        times_as_fast("denoiser", *((name, f"released-{name}") for name in _DENOISERS)),
    ),
    Target("distillation step, batch 8, base", "its floor", AT_MOST, 1.6, times_the_floor("distillation", _STEP)),
    Target(
        "the same", "the released step in float32, times as fast", AT_LEAST, 2.5,
        times_as_fast("distillation", (_STEP, _RELEASED_STEP)),
    ),
    Target(
        _LIGHT_WORDS, _PIPELINE, AT_LEAST, 12, times_as_fast("synthesis", (_LIGHT, _RELEASED)), ability="AVX512-BF16",
    ),
    Target(_LIGHT_WORDS, _PIPELINE, AT_LEAST, 20, times_as_fast("synthesis", (_LIGHT, _RELEASED)), ability="AMX"),
    Target(
        "the same, features of the prompt known", f"{_PIPELINE}, text and all", AT_LEAST, None,
        times_as_fast("synthesis", (f"warm-{_LIGHT}", _RELEASED)),
    ),
    Target(
        "text to waveform, BigVGAN", _PIPELINE, AT_LEAST, 3, times_as_fast("synthesis-bigvgan", (_LARGE, _RELEASED)),
    ),
    Target(
        "int8 weights and activations, denoiser call", "our bfloat16, times as fast", AT_LEAST, 1.5,
        times_as_fast("denoiser", ("denoiser-base-int8", "denoiser-base-bfloat16")),
    ),
    Target(
        "main job from nothing", f"commit {_BEFORE}, times as fast", AT_LEAST, 2,
        times_an_earlier_commit("main-job-tiny", _BEFORE),
    ),
    Target(
        "training step of the tiny model, teacher and student", "its floor", AT_MOST, 2.5,
        times_the_floor("training", "training-tiny-teacher", "training-tiny-student"),
    ),
    Target(
        "memory of a base distillation step", "the released step's: three float32 copies and Adam", AT_MOST, 0.6,
        share_of_memory("distillation", _STEP, _RELEASED_STEP),
    ),
    Target(
        "start of `audiolcm generate`, small model, one sound", "", AT_MOST, 1.5,
        of_case("starts", "start-tiny-generate", lambda one: one.median), unit="s",
    ),
)  # fmt: skip
_ON_GPUS = (
    Target(
        "sampler, real-time factor, batch 1", "", AT_MOST, 0.0004,
        of_case("sampler", "sampler-base-bfloat16", lambda one: one.real_time_factor), "cuda", "",
    ),
    Target(
        "text to waveform with the light vocoder, real-time factor", "", AT_MOST, 0.0008,
        of_case("synthesis", _LIGHT, lambda one: one.real_time_factor), "cuda", "",
    ),
    Target(
        "text to waveform with BigVGAN, real-time factor", "", AT_MOST, 0.003,
        of_case("synthesis-bigvgan", _LARGE, lambda one: one.real_time_factor), "cuda", "",
    ),
    Target("hours of sound an hour, batched", "", AT_LEAST, None, most_sound_a_second("clips"), "cuda", ""),
    *(
        Target(
            f"distillation steps a second, {letter}", "", AT_LEAST, None,
            of_case("distillation-sizes", _STEP.replace("base", size), lambda one: 1 / one.median), "cuda", "",
        )
        for letter, size in _PAPER_SIZES.items()
    ),
    *(
        Target(
            f"distillation, share of the product's rate (MFU), {letter}", "", AT_LEAST,
            0.4 if letter in ("L", "XL") else None,
            of_case("distillation-sizes", _STEP.replace("base", size), lambda one: one.utilization), "cuda", "",
        )
        for letter, size in _PAPER_SIZES.items()
    ),
)  # fmt: skip
TARGETS = (*_ON_CPUS, *_ON_GPUS)


def targets_table(machines: Sequence[Machine]) -> str:
    """Return every target with a row for each machine that it is promised for."""
    lines = [
        "| what | against | target | measured | met | hardware | code |",
        "|---|---|---|---:|---|---|---|",
    ]
    for target in TARGETS:
        mine = [machine for machine in machines if target.is_for(machine)]
        lines += [_row(target, machine) for machine in mine] or [_unmeasured(target)]
    return "\n".join(lines)


def _row(target: Target, machine: Machine) -> str:
    found = target.figure(machine)
    if found is None:
        return _cells(target, "not measured", "", machine.name, "")
    return _cells(target, f"{found.value:.3g}", target.is_met(found.value), machine.name, found.commit)


def _unmeasured(target: Target) -> str:
    return _cells(target, "no GPU" if target.device == "cuda" else "not measured", "", target.ability, "")


def _cells(target: Target, *cells: str) -> str:
    return f"| {' | '.join((target.what, target.against, target.promise, *cells))} |"
