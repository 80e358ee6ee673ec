"""The targets: what was promised, and what the newest results on each machine come to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.speed.results import Result
from benchmarks.speed.summary import Measured, ratio

AT_MOST, AT_LEAST = "at most", "at least"


@dataclass(frozen=True)
class Target:
    """A promise.

    Args:
        what, against: what is compared with what.
        bound: ``AT_MOST`` or ``AT_LEAST``.
        value: the promised number; None where a figure is only reported.
        figure: finds the measured number in the results of one machine; None: not measured there.
        device: cpu or cuda.
        unit: of the number.
        ability: which CPUs it is promised for; "" is all.
    """

    what: str
    against: str
    bound: str
    value: float | None
    figure: "Callable[[Machine], float | None]"
    device: str = "cpu"
    unit: str = "times"
    ability: str = ""

    def is_met(self, figure: float) -> bool:
        """Return whether a measured number keeps the promise."""
        if self.value is None:
            return True
        return figure <= self.value if self.bound == AT_MOST else figure >= self.value

    def is_for(self, machine: "Machine") -> bool:
        """Return whether it is promised for a machine."""
        return machine.device == self.device and (not self.ability or machine.ability == self.ability)

    @property
    def promise(self) -> str:
        """The promise in words."""
        return "reported" if self.value is None else f"{self.bound} {self.value:g} {self.unit}".strip()


class Machine:
    """The newest results of one machine, by the names of their files.

    Args:
        results: one or more, all of it.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = {result.file_stem: result for result in results}
        last = results[-1]
        self.name, self.device = last.machine_name, last.machine["device"]
        self.ability = next(iter(last.machine["abilities"]), "")

    def measured(self, contest: str, *names: str) -> list[Measured]:
        """Return what a contest measured of cases, those that are there."""
        result = self.results.get(contest)
        found = [result.find(name) for name in names] if result else []
        return [one for one in found if one]

    def faster(self, contest: str, name: str, than: str) -> float | None:
        """Return how many times as long another case of a contest takes."""
        pair = self.measured(contest, name, than)
        return ratio(pair[1], pair[0]).median if len(pair) == 2 else None

    def beside(self, case: str) -> Sequence[float]:
        """Return how many times as long a case takes at other commits."""
        start = f"{case}-against-"
        found = (one for stem, one in self.results.items() if stem.startswith(start) and "=" not in stem)
        return [ratio(one.measured[1], one.measured[0]).median for one in found]


def _denoiser_floor(machine: Machine) -> float | None:
    names = [f"denoiser-base-{precision}" for precision in ("float32", "bfloat16")]
    found = sorted(machine.measured("denoiser", *names), key=lambda one: one.median)
    return found[0].distance if found else None


def _denoiser_released(machine: Machine) -> float | None:
    pairs = [(f"denoiser-base-{kind}", f"released-denoiser-base-{kind}") for kind in ("float32", "bfloat16")]
    ratios = [found for ours, other in pairs if (found := machine.faster("denoiser", ours, other))]
    return min(ratios, default=None)


def _distance(contest: str, *names: str) -> Callable[[Machine], float | None]:
    def figure(machine: Machine) -> float | None:
        distances = [one.distance for one in machine.measured(contest, *names) if one.distance]
        return max(distances) if len(distances) == len(names) else None

    return figure


def _faster(contest: str, name: str, than: str) -> Callable[[Machine], float | None]:
    return lambda machine: machine.faster(contest, name, than)


def _best_beside(case: str) -> Callable[[Machine], float | None]:
    return lambda machine: max(machine.beside(case), default=None)


def _seconds(contest: str, name: str) -> Callable[[Machine], float | None]:
    return lambda machine: next((one.median for one in machine.measured(contest, name)), None)


def _real_time_factor(contest: str, name: str) -> Callable[[Machine], float | None]:
    return lambda machine: next((one.real_time_factor for one in machine.measured(contest, name)), None)


def _memory(machine: Machine) -> float | None:
    pair = machine.measured("distillation", _STEP, f"released-{_STEP_FLOAT32}")
    return pair[0].memory / pair[1].memory if len(pair) == 2 else None


def _sound_an_hour(machine: Machine) -> float | None:
    found = machine.results.get("clips")
    rates = [one.sound / one.median for one in found.measured] if found else []
    return max(rates, default=None)


def _steps_a_second(size: str) -> Callable[[Machine], float | None]:
    def figure(machine: Machine) -> float | None:
        found = machine.measured("distillation-sizes", _STEP.replace("base", size))
        return 1 / found[0].median if found else None

    return figure


def _utilization(size: str) -> Callable[[Machine], float | None]:
    def figure(machine: Machine) -> float | None:
        found = machine.measured("distillation-sizes", _STEP.replace("base", size))
        return 1 / found[0].distance if found and found[0].distance else None

    return figure


_STEP, _STEP_FLOAT32 = "distillation-base-bfloat16-b8", "distillation-base-float32-b8"
_LIGHT, _LARGE = "synthesis-base-bfloat16-istft", "synthesis-base-float32-bigvgan"
_RELEASED = "released-synthesis-base-float32"
_LARGE_BFLOAT16 = "synthesis-base-bfloat16-bigvgan"
_PAPER_SIZES = {"base": "B", "medium": "M", "large": "L", "xl": "XL"}
_MAIN_JOB = "main-job-tiny"
_LIGHT_WORDS = "text to waveform, 2 steps, 10 s, light vocoder, base"

TARGETS = (
    Target("denoiser call, batch 1, best precision", "the floor of its arithmetic", AT_MOST, 1.25, _denoiser_floor),
    Target("the same, each precision", "the released code, times as fast", AT_LEAST, 1.0, _denoiser_released),
    Target("distillation step, batch 8, base", "its floor", AT_MOST, 1.6, _distance("distillation", _STEP)),
    Target(
        "the same", "the released step in float32, times as fast", AT_LEAST, 2.5,
        _faster("distillation", _STEP, f"released-{_STEP_FLOAT32}"),
    ),
    Target(
        _LIGHT_WORDS, "the released pipeline with BigVGAN, times as fast", AT_LEAST, 12,
        _faster("synthesis", _LIGHT, _RELEASED), ability="AVX512-BF16",
    ),
    Target(
        _LIGHT_WORDS, "the released pipeline with BigVGAN, times as fast", AT_LEAST, 20,
        _faster("synthesis", _LIGHT, _RELEASED), ability="AMX",
    ),
    Target(
        "the same with BigVGAN", "the same, times as fast", AT_LEAST, 3,
        _faster("synthesis-bigvgan", _LARGE_BFLOAT16, _RELEASED),
    ),
    Target(
        "int8 weights and activations, denoiser call", "our bfloat16, times as fast", AT_LEAST, 1.5,
        _faster("denoiser", "denoiser-base-int8", "denoiser-base-bfloat16"),
    ),
    Target("main job from nothing", "an earlier commit, times as fast", AT_LEAST, 2.0, _best_beside(_MAIN_JOB)),
    Target(
        "training step of the tiny model", "its floor", AT_MOST, 2.5,
        _distance("training", "training-tiny-teacher", "training-tiny-student"),
    ),
    Target("memory of a base distillation step", "the released step's", AT_MOST, 0.6, _memory),
    Target(
        "start of `audiolcm generate`, small model, one sound", "", AT_MOST, 1.5,
        _seconds("starts", "start-tiny-generate"), unit="s",
    ),
    Target(
        "sampler, real-time factor, batch 1", "", AT_MOST, 0.0004,
        _real_time_factor("sampler", "sampler-base-bfloat16"), "cuda", "",
    ),
    Target(
        "text to waveform with the light vocoder, real-time factor", "", AT_MOST, 0.0008,
        _real_time_factor("synthesis", _LIGHT), "cuda", "",
    ),
    Target(
        "text to waveform with BigVGAN, real-time factor", "", AT_MOST, 0.003,
        _real_time_factor("synthesis-bigvgan", _LARGE_BFLOAT16), "cuda", "",
    ),
    Target("hours of sound an hour, batched", "", AT_LEAST, None, _sound_an_hour, "cuda", ""),
    *(
        Target(f"distillation steps a second, {letter}", "", AT_LEAST, None, _steps_a_second(size), "cuda", "")
        for size, letter in _PAPER_SIZES.items()
    ),
    *(
        Target(
            f"distillation, share of the product's rate (MFU), {letter}", "", AT_LEAST,
            0.4 if letter in ("L", "XL") else None, _utilization(size), "cuda", "",
        )
        for size, letter in _PAPER_SIZES.items()
    ),
)  # fmt: skip


def targets_table(machines: Sequence[Machine]) -> str:
    """Return every target with a row for each machine that it is promised for."""
    lines = ["| what | against | target | measured | met | hardware |", "|---|---|---|---:|---|---|"]
    for target in TARGETS:
        mine = [machine for machine in machines if target.is_for(machine)]
        lines += [_row(target, machine) for machine in mine] or [_unmeasured(target)]
    return "\n".join(lines)


def _row(target: Target, machine: Machine) -> str:
    figure = target.figure(machine)
    if figure is None:
        return _cells(target, "not measured", "", machine.name)
    met = "" if target.value is None else ("yes" if target.is_met(figure) else "no")
    return _cells(target, f"{figure:.3g}", met, machine.name)


def _unmeasured(target: Target) -> str:
    return _cells(target, "no GPU" if target.device == "cuda" else "not measured", "", target.ability)


def _cells(target: Target, measured: str, met: str, hardware: str) -> str:
    return f"| {target.what} | {target.against} | {target.promise} | {measured} | {met} | {hardware} |"
