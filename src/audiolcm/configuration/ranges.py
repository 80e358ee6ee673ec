"""Ranges of the numbers that people type, by the last word of their name: in configurations, options and calls.

They are wide: they keep out what could never be meant, such as nan, -1 of something that is counted, or 1e39, which is
infinite in float32. What goes together with what is checked where it is used.
"""

from collections.abc import Mapping
from typing import Any

from audiolcm.configuration.plugins import is_ours
from audiolcm.errors import UserError

Number = int | float
Bounds = tuple[Number, Number]
_USUAL = (0, 1e9)
_FINITE = (-1e300, 1e300)
"""Of a setting of other people's classes nothing else is known."""
_SECONDS, _SHARE, _COUNT, _SIZE, _SEED = (0.01, 600), (0, 1), (1, 1e7), (1, 65536), (0, 2**63 - 1)
RANGES: Mapping[str, Bounds] = {
    **dict.fromkeys(("seed", "seeds"), _SEED),
    **dict.fromkeys(("crop_seconds", "duration", "max_duration", "max_seconds", "reference_seconds"), _SECONDS),
    **dict.fromkeys(("min_duration", "min_seconds"), (0, 600)),
    "seconds": (0.01, 86400),
    **dict.fromkeys(("beta1", "beta2", "ema_rate", "final_lr_fraction", "lr_decay"), _SHARE),
    **dict.fromkeys(("caption_dropout", "compose_probability", "failed_checks", "kept_share", "momentum"), _SHARE),
    **dict.fromkeys(("reconstructed_share", "same"), _SHARE),
    **dict.fromkeys(("batch_size", "batch_sizes", "accumulate", "candidates", "clips_per_class", "items"), _COUNT),
    **dict.fromkeys(("num_train", "num_validation", "num_test"), (0, 1e7)),
    **dict.fromkeys(("channels", "latent_channels", "width", "widths", "windows", "tokens_per_half"), _SIZE),
    **dict.fromkeys(("depth", "num_heads", "num_threads", "workers"), (1, 1024)),
    **dict.fromkeys(("kernel_size", "num_layers", "num_res_blocks", "multipliers", "max_multiplier"), (0, 1024)),
    **dict.fromkeys(("num_resamples", "resamples"), (0, 1e6)),
    **dict.fromkeys(("low_anchors", "checks", "repeats", "report_clips"), (0, 1e5)),
    "num_timesteps": (1, 1e5),
    "num_steps": (1, 1e5),
    "omega": (-1, 1000),
    **dict.fromkeys(("w_min", "w_max"), (0, 1000)),
    **dict.fromkeys(("sigma_data", "timestep_scaling", "learning_rate"), (1e-12, 1e6)),
    "difference": (0, 100),
    "group_size": _COUNT,
    **dict.fromkeys(("logvar", "mel_mean"), (-30, 30)),
    "mel_std": (1e-3, 1000),
    "mel_range": (0, 24000),
}  # fmt: skip


def check_numbers(node: object, path: str = "", bounds: Bounds | None = None) -> None:
    """Refuse the first number of a configuration that is out of its range.

    Args:
        node: of the configuration, plain.
        path: where it stands there, for messages.
        bounds: of numbers that have no range of their own; None takes the usual ones.

    Raises:
        UserError: it names the setting and the range.
    """
    if isinstance(node, Mapping):
        if "_target_" in node:
            bounds = None if is_ours(str(node["_target_"])) else _FINITE
        for key, value in node.items():
            check_numbers(value, f"{path}.{key}" if path else str(key), bounds)
    elif isinstance(node, list):
        for value in node:
            check_numbers(value, path, bounds)
    elif isinstance(node, Number) and not isinstance(node, bool):
        name = path.rpartition(".")[2]
        in_range(name, node, f"{path}={node}", bounds or RANGES.get(name, _USUAL))


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse the first of a command's options, by their names in Python, that is empty or a number out of its range.

    Raises:
        UserError: it names the option, and the range.
    """
    for name, given in options.items():
        if given == "":  # as of a variable that the shell does not know
            raise UserError(f"--{name.replace('_', '-')} is empty: give a value, or leave it out.")
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, Number) and not isinstance(value, bool):
                in_range(name, value, f"--{name.replace('_', '-')} {value}")


def in_range(name: str, value: Number, said: str, bounds: Bounds | None = None) -> None:
    """Refuse a number that is out of the range of its name, or of ``bounds``; ``said`` is how it was typed.

    Raises:
        UserError: it says the range.
    """
    least, most = bounds or RANGES.get(name, _USUAL)
    if not least <= value <= most:  # nan is neither
        raise UserError(f"{said} is out of range: {_shown(least)} to {_shown(most)}.")


def _shown(end: Number) -> str:
    return f"{end:,.0f}" if abs(end) >= 1000 and abs(end) < 1e15 and end == int(end) else f"{end:g}"
