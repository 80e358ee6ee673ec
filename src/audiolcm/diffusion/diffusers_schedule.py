"""The noise schedule of a diffusers model, read from its ``scheduler_config.json``.

Only what the file says of the noise is taken: how many timesteps, and their betas. Which timesteps a sampler visits
(``timestep_spacing``, ``steps_offset``, ``original_inference_steps``) is for our sampler and k to say. Whatever else
would make a diffusers scheduler compute something that ours do not is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiolcm.diffusion.schedule import LinearSchedule, NoiseSchedule, ScaledLinearSchedule
from audiolcm.errors import UserError
from audiolcm.storage.plain_data import read_json

FILE_NAME = "scheduler_config.json"
KINDS = {"linear": LinearSchedule, "scaled_linear": ScaledLinearSchedule}
CLIPS_UNLESS_TOLD = {"DDIMScheduler": True, "DDPMScheduler": True, "LCMScheduler": False}
"""The schedulers whose configurations are understood, and their ``clip_sample`` where the file is silent."""
NUMBERS = {"num_train_timesteps": int, "beta_start": float, "beta_end": float}
OURS: dict[str, tuple[object, ...]] = {
    "prediction_type": ("epsilon",),
    "trained_betas": (None,),
    "rescale_betas_zero_snr": (False,),
    "clip_sample": (False,),
    "thresholding": (False,),
    "set_alpha_to_one": (True,),
    "timestep_scaling": (10.0,),
    "variance_type": ("fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"),
}
"""Fields that may change the noise, the prediction or the end of a step, and the values that mean what ours do.

A field that is absent has its first value here, which is also what diffusers takes; ``clip_sample`` is said above.
"""
CHANGES = {
    "prediction_type": "another quantity is predicted",
    "trained_betas": "the betas are a list of their own",
    "rescale_betas_zero_snr": "the betas are rescaled, so that T - 1 is pure noise",
    "clip_sample": "the predicted z_0 is clipped",
    "thresholding": "the predicted z_0 is clipped",
    "set_alpha_to_one": "the last DDIM step keeps the noise of timestep 0 (ours: teacher_sampler.spacing=leading)",
    "timestep_scaling": "the boundary condition is another",
    "variance_type": "the network predicts a variance, too",
}
ONLY_OF_NOISE = {"trained_betas", "rescale_betas_zero_snr"}
"""Fields without which the betas are others: they have no counterpart here."""
NOT_READ = {
    "timestep_spacing", "steps_offset", "original_inference_steps", "clip_sample_range", "sample_max_value",
    "dynamic_thresholding_ratio", "skip_prk_steps",
}  # fmt: skip
"""Fields that choose a sampler's timesteps, tune what is switched off, or are left over from another scheduler."""


def read_schedule(path: str | None = None, num_timesteps: int = 1000) -> NoiseSchedule:
    """Return the schedule with the betas of a diffusers scheduler (DDIM, DDPM or LCM).

    Args:
        path: ``scheduler_config.json``, the folder that holds it, or the model's folder with ``scheduler/`` in it.
        num_timesteps: T, which solver and k are checked with; must be the file's ``num_train_timesteps``.

    Returns:
        A linear or scaled linear schedule; its ``standalone`` builds the same one without the file.

    Raises:
        UserError: the file is missing or broken, or one of its fields says what ours do not do.
    """
    file = _find(path)
    values = _read(file)
    settings = _settings(values, file)
    if settings["num_timesteps"] != num_timesteps:
        raise UserError(
            f"schedule.num_timesteps={num_timesteps}, but {file} says num_train_timesteps="
            f"{settings['num_timesteps']}. Type schedule.num_timesteps={settings['num_timesteps']}."
        )
    _check_fields(values, settings, file)
    kind = KINDS[values["beta_schedule"]]
    schedule = kind(**settings)
    schedule.standalone = {"_target_": f"{kind.__module__}.{kind.__qualname__}"} | settings
    return schedule


def _find(path: str | None) -> Path:
    if path is None:
        raise UserError(
            f"schedule=diffusers needs a file: type schedule.path=FOLDER, the folder of a diffusers model with its "
            f"scheduler/{FILE_NAME}."
        )
    given = Path(path).expanduser()
    for file in (given, given / FILE_NAME, given / "scheduler" / FILE_NAME):
        if file.is_file():
            return file
    raise UserError(
        f"schedule.path={path} has no {FILE_NAME}, nor scheduler/{FILE_NAME}. Type schedule.path=FOLDER with the "
        "folder that scheduler.save_pretrained(FOLDER) or a diffusers pipeline wrote."
    )


def _read(file: Path) -> Mapping[str, Any]:
    """Return the fields of the file; only those of a scheduler that is understood."""
    again = "Type schedule.path=FOLDER with a whole one, as scheduler.save_pretrained(FOLDER) writes it."
    try:
        values = read_json(file, largest=2**20)
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}). {again}") from error
    if not isinstance(values, dict):
        raise UserError(f"{file} holds no fields. {again}")
    for field in ("_class_name", "beta_schedule", *NUMBERS):
        if field not in values:
            raise UserError(f"{file} lacks {field}. {again}")
    if str(values["_class_name"]) not in CLIPS_UNLESS_TOLD:
        raise UserError(
            f"{file} says _class_name={values['_class_name']}; {', '.join(CLIPS_UNLESS_TOLD)} are understood. Write "
            "DDIMScheduler.from_config(scheduler.config).save_pretrained(FOLDER) and type schedule.path=FOLDER."
        )
    return values


def _settings(values: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """Return the arguments of our schedule."""
    if str(values["beta_schedule"]) not in KINDS:
        raise UserError(
            f"{file} says beta_schedule={values['beta_schedule']}: choose a model with {' or '.join(KINDS)}, "
            "or type schedule=scaled_linear for the paper's."
        )
    for field, kind in NUMBERS.items():
        accepted = (int,) if kind is int else (int, float)
        if type(values[field]) not in accepted:
            wanted = "a whole number" if kind is int else "a number"
            raise UserError(
                f"{file} says {field}={values[field]!r}, but {wanted} is needed: correct the file."
            )
    names = {"num_train_timesteps": "num_timesteps"}
    return {names.get(field, field): kind(values[field]) for field, kind in NUMBERS.items()}


def _check_fields(values: Mapping[str, Any], settings: Mapping[str, Any], file: Path) -> None:
    """Refuse the first field that changes what ours do not change."""
    absent = {"clip_sample": CLIPS_UNLESS_TOLD[values["_class_name"]]}
    ours = dict(OURS)
    if values["_class_name"] == "LCMScheduler":
        del ours["set_alpha_to_one"]  # its last step never reads it
    for field, accepted in ours.items():
        found = values.get(field, absent.get(field, accepted[0]))
        if found not in accepted:
            raise UserError(
                f"{file} says {field}={_shortened(found)}: {CHANGES[field]}. {_next(field, found, values, settings)}"
            )
    known = {"beta_schedule", *NUMBERS, *OURS, *NOT_READ}
    for field in values:
        if field not in known and not field.startswith("_"):
            raise UserError(
                f"{file} says {field}={_shortened(values[field])}, which is unknown here. If it leaves the noise "
                f"alone, {_the_betas(values, settings)}."
            )


def _next(field: str, found: object, values: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return what to type instead."""
    line = _the_betas(values, settings)
    if field in ONLY_OF_NOISE:
        return "Choose a model without it, or type schedule=scaled_linear for the paper's."
    if field == "timestep_scaling":
        return f"To have it, {line} objective.boundary.timestep_scaling={found}."
    if found == "v_prediction":
        return f"To train such a network, {line} model.prediction_type=velocity."
    return f"To have its betas alone, {line}."


def _the_betas(values: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    numbers = " ".join(f"schedule.{name}={value}" for name, value in settings.items())
    return f"type schedule={values['beta_schedule']} {numbers}"


def _shortened(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
