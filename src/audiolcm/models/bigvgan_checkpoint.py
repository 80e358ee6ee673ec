"""Reading the published BigVGAN files: best_netG.pt with its weight norm still in place, and args.yml beside it."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audiolcm.audio.mel import F_MAX, F_MIN, HOP_LENGTH, N_FFT, NUM_MELS, SAMPLE_RATE
from audiolcm.errors import UserError
from audiolcm.models.weight_norm import add_weight_norm, normed_name
from audiolcm.storage.plain_data import read_yaml
from audiolcm.weights.files import weights_folder
from audiolcm.weights.reading import Shapes, misfits, read_checkpoint, shapes

logger = logging.getLogger(__name__)

FOLDER = "bigvnat16k93.5w"
LICENSE = "MIT (of the repository of Make-An-Audio 2, which states none apart for the weights)"
WEIGHTS_FILE = "best_netG.pt"
ARGUMENTS_FILE = "args.yml"
ARCHITECTURE = (
    "upsample_initial_channel",
    "upsample_rates",
    "upsample_kernel_sizes",
    "resblock_kernel_sizes",
    "resblock_dilation_sizes",
)
IMPLEMENTED = {"resblock": "1", "activation": "snakebeta", "snake_logscale": "True"}
_OTHER = "Use the 16 kHz, 80-band checkpoint of Make-An-Audio 2."
FRONT_END = {"sampling_rate": SAMPLE_RATE, "n_fft": N_FFT, "win_size": N_FFT, "hop_size": HOP_LENGTH}


def read_arguments(path: str | Path | None) -> tuple[Path, dict[str, Any]]:
    """Return the path of the weights and the checked contents of args.yml.

    Raises:
        UserError: a file is missing, or args.yml is unreadable, incomplete or describes a vocoder other than the one
            implemented here, for another front end than ours.
    """
    default = weights_folder() / FOLDER
    if path is None and not default.is_dir():
        raise UserError(
            f"vocoder=bigvgan needs the published vocoder: put {WEIGHTS_FILE} and {ARGUMENTS_FILE} (AudioLCM and "
            f"Make-An-Audio 2 publish them as vocoder/logs/{FOLDER}) into {default}, or set vocoder.model.path to "
            "their folder, or choose vocoder=griffin_lim, which needs no files."
        )
    weights = default if path is None else Path(path).expanduser()
    weights = weights / WEIGHTS_FILE if weights.is_dir() else weights
    arguments_path = weights.with_name(ARGUMENTS_FILE)
    for file in (weights, arguments_path):
        if not file.is_file():
            raise UserError(
                f"BigVGAN: {file} does not exist. Set vocoder.model.path to the folder that holds it."
            )
    try:
        arguments = read_yaml(arguments_path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"BigVGAN: {arguments_path} is not plain YAML ({error}). Download it again."
        ) from error
    _check_arguments(arguments_path, arguments)
    return weights, arguments


def _check_arguments(file: Path, arguments: object) -> None:
    if not isinstance(arguments, dict):
        raise UserError(f"BigVGAN: {file} holds no `key: value` lines. Download it again.")
    missing = [key for key in ("num_mels", *ARCHITECTURE) if key not in arguments]
    if missing:
        raise UserError(f"BigVGAN: {file} lacks {', '.join(missing)}. Download it again.")
    expected = {"num_mels": NUM_MELS, **FRONT_END, **IMPLEMENTED}
    for key, value in expected.items():
        if str(arguments.get(key, value)) != str(value):
            raise UserError(
                f"BigVGAN: {file} says {key}: {arguments[key]}, but only {value} works here. {_OTHER}"
            )
    rates = arguments["upsample_rates"]
    samples = math.prod(rates) if isinstance(rates, list) and all(type(r) is int for r in rates) else rates
    if samples != HOP_LENGTH:
        raise UserError(
            f"BigVGAN: upsample_rates in {file} make {samples} samples of a frame, ours has {HOP_LENGTH}. {_OTHER}"
        )


def require_mel_range(
    weights: Path, arguments: Mapping[str, Any], mel_range: Sequence[int | float] | None
) -> None:
    """Refuse a vocoder that was trained on mels of another range than ours: by ``mel_range``, else by args.yml.

    Raises:
        UserError: naming both ranges.
    """
    if mel_range is None and "fmin" not in arguments:
        logger.warning(
            "%s states no fmin and fmax: taken to be ours, %g-%g Hz.", ARGUMENTS_FILE, F_MIN, F_MAX
        )
        return
    lowest, highest = mel_range if mel_range is not None else (arguments["fmin"], arguments.get("fmax"))
    if highest is None:  # in args.yml: as far as the sampling rate goes
        highest = SAMPLE_RATE / 2
    if (lowest, highest) != (F_MIN, F_MAX):
        raise UserError(
            f"BigVGAN: {weights.parent} was trained on mels from {lowest} to {highest} Hz, ours go from {F_MIN:g} "
            f"to {F_MAX:g} Hz; the sound would be wrong. If {ARGUMENTS_FILE} is known not to tell the truth, say so: "
            f"vocoder.model.mel_range=[{F_MIN:g},{F_MAX:g}]."
        )


def load_generator(model: nn.Module, weights: Path, weight_norm: bool = False) -> None:
    """Fill ``model`` from ``generator`` of a checkpoint; UserError names every key that does not fit one to one.

    ``weight_norm`` keeps the file's weight norm in place; otherwise it is folded into plain weights.
    """
    checkpoint = read_checkpoint(weights)
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("generator"), dict):
        raise UserError(f"BigVGAN: {weights} has no entry `generator`. Is it the file of a discriminator?")
    state = checkpoint["generator"]
    if problems := misfits(published_layout(model), shapes(state)):
        raise UserError(f"BigVGAN: keys of {weights} do not fit {ARGUMENTS_FILE}: {problems}.")
    if weight_norm:
        normed = {normed_name(name): tensor for name, tensor in state.items()}
        add_weight_norm(model).load_state_dict(normed)
    else:
        model.load_state_dict(fold_weight_norm(state))


def published_sizes(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of ``BigVGAN`` that args.yml describes."""
    names = ("channels", "upsample_rates", "upsample_kernels", "block_kernels", "block_dilations")
    sizes = {name: arguments[key] for name, key in zip(names, ARCHITECTURE, strict=True)}
    return {"num_mels": arguments["num_mels"]} | sizes


def published_layout(model: nn.Module) -> Shapes:
    """Return the names and shapes that a checkpoint of ``model`` has while weight norm is in place."""
    layout: Shapes = {}
    for key, shape in shapes(model.state_dict()).items():
        if key.endswith(".weight"):
            layout[f"{key}_g"] = (shape[0], 1, 1)
            layout[f"{key}_v"] = shape
        else:
            layout[key] = shape
    return layout


def fold_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace every pair g, v by the weight it stands for, g v / |v| with one norm for each entry of dimension 0."""
    folded = {}
    for key, value in state.items():
        if key.endswith(".weight_v"):
            norm = torch.linalg.vector_norm(value, dim=(1, 2), keepdim=True)
            folded[key.removesuffix("_v")] = value * (state[key.removesuffix("_v") + "_g"] / norm)
        elif not key.endswith(".weight_g"):
            folded[key] = value
    return folded
