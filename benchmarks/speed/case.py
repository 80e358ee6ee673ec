"""What is measured, as it is named: ``denoiser-base-bfloat16-b8-10s``, ``released-synthesis-base-float32``."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from audiolcm.errors import UserError

KINDS = {
    "denoiser": "denoising.denoiser",
    "released-denoiser": "denoising.released_denoiser",
    "sampler": "denoising.sampler",
    "decoder": "stages.decoder",
    "released-decoder": "stages.released_decoder",
    "vocoder": "stages.vocoder",
    "released-vocoder": "stages.released_vocoder",
    "synthesis": "synthesis.synthesis",
    "warm-synthesis": "synthesis.warm_synthesis",
    "released-synthesis": "synthesis.released_synthesis",
    "training": "training.training",
    "distillation": "training.distillation",
    "released-distillation": "training.released_distillation",
    "start": "commands.start",
    "main-job": "commands.main_job",
}
"""The function of this package that makes the work of each kind."""

_PAPER = ("autoencoder=paper", "text_encoder.tokens_per_half=77", "text_encoder.width=1024")
SIZES = {
    "tiny": ("model=tiny",),
    **{size: (f"model={size}", *_PAPER) for size in ("base", "medium", "large", "xl")},
}
"""The overrides of each size; tiny has the replica's autoencoder and text, the others the paper's shapes."""

PRECISIONS = ("float32", "bfloat16", "int8")
VARIANTS = {
    "vocoder": ("istft", "bigvgan"),
    "synthesis": ("istft", "bigvgan"),
    "warm-synthesis": ("istft", "bigvgan"),
    "training": ("autoencoder", "vocoder", "teacher", "student"),
    "start": ("generate", "help", "import"),
}
"""What a kind is measured of, where there are several; the first where none is named."""

_UNITS = {"batch": r"b(\d+)", "seconds": r"(\d+)s", "steps": r"(\d+)steps"}


@dataclass(frozen=True)
class Case:
    """One thing that is measured.

    Args:
        kind: a name of ``KINDS``.
        size: of the model, a name of ``SIZES``.
        precision: a name of ``PRECISIONS``; "" is that of ``hardware.precision=auto``.
        variant: a name of ``VARIANTS[kind]``; "" where the kind has none.
        batch: sounds, or training examples, at once.
        seconds: of sound, 1 to 30.
        steps: of sampling.
    """

    kind: str
    size: str = "tiny"
    precision: str = ""
    variant: str = ""
    batch: int = 1
    seconds: int = 10
    steps: int = 2

    @property
    def name(self) -> str:
        """How it is typed: what is as usual is left out."""
        usual = {field.name: field.default for field in fields(self)}
        parts = [self.kind, self.size, self.precision, self.variant]
        units = {"batch": f"b{self.batch}", "seconds": f"{self.seconds}s", "steps": f"{self.steps}steps"}
        parts += [word for field, word in units.items() if getattr(self, field) != usual[field]]
        return "-".join(filter(None, parts))

    def overrides(self) -> list[str]:
        """Return what composes the configuration that is measured."""
        precision = [f"hardware.precision={self.precision}"] if self.precision else []
        return ["vocoder=istft", *SIZES[self.size], *precision]


def read_case(name: str) -> Case:
    """Return the case of a name.

    Raises:
        UserError: there is none of this name.
    """
    kind = max((kind for kind in KINDS if f"{name}-".startswith(f"{kind}-")), key=len, default="")
    words = [word for word in name.removeprefix(kind).split("-") if word]
    variants = VARIANTS.get(kind, ())
    found: dict[str, str | int] = {"variant": variants[0]} if variants else {}
    for word in words:
        choices = {"size": SIZES, "precision": PRECISIONS, "variant": variants}
        part = next((part for part, known in choices.items() if word in known), None)
        units = {unit: int(match[1]) for unit, form in _UNITS.items() if (match := re.fullmatch(form, word))}
        if not kind or not (part or units):
            raise UserError(
                f"There is no measurement {name!r} ({word!r} is unknown). A name is a kind ({', '.join(KINDS)}), then "
                f"what differs from the usual: a size ({', '.join(SIZES)}), a precision ({', '.join(PRECISIONS)}), b8 "
                "for a batch of 8, 5s for seconds of sound, 4steps; `python -m benchmarks list` shows examples."
            )
        found |= {part: word} if part else units
    if not kind:
        raise UserError(f"There is no measurement {name!r}: type `python -m benchmarks list`.")
    # pyrefly: ignore[bad-argument-type]  (one dict for arguments of two types)
    return Case(kind, **found)


def merged(overrides: Iterable[str], others: Sequence[str]) -> list[str]:
    """Return overrides with others that replace those of the same key."""
    chosen = {word.partition("=")[0].lstrip("+"): word for word in (*overrides, *others)}
    return list(chosen.values())
