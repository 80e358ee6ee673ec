"""What a configuration holds, whichever options were chosen: its sections, their keys, and what kind each is."""

from collections.abc import Iterable, Mapping
from typing import Any

from audiolcm.configuration.checking import nearest
from audiolcm.errors import UserError

SECTIONS = {
    "seed", "parents", "teacher", "model", "backbone", "text_encoder", "autoencoder", "vocoder", "dataset",
    "schedule", "solver", "guidance", "objective", "sampler", "teacher_sampler", "optimizer", "trainer", "hardware",
    "parallel", "logger", "paths", "preview", "stage", "objective_metric", "plan", "row", "plugins",
}  # fmt: skip
OPTIONAL_SECTIONS = {
    "teacher", "preview", "logger", "hardware", "parallel", "stage", "objective_metric", "plan", "row", "plugins",
}  # fmt: skip
"""Those that the configuration kept beside an artifact may lack."""
STAGES = ("data", "autoencoder", "vocoder", "teacher", "student")
"""In the order in which they are made."""
DESCRIBE = "describe"
"""What ``stage`` may be besides: build every part without content and tell its sizes; nothing is made."""
BACKBONE = ("norm", "position", "feed_forward")
PATHS = ("artifacts", "cache", "runs", "corpora", "sounds")
_KEYS = {
    "parents": ("autoencoder", "text_encoder", "vocoder", "teacher"),
    "teacher": ("retrofit", "initial", "backbone"),
    "model": ("width", "depth", "num_heads", "kernel_size", "prediction_type"),
    "preview": ("num_clips", "student_steps", "seed"),
    "trainer": ("autoencoder", "vocoder", "teacher", "student"),
    "paths": PATHS,
}
"""Of the sections that configure no class."""
_HEARD = (
    "text_encoder", "schedule", "sampler", "teacher_sampler", "solver", "dataset", "autoencoder.model", "vocoder.model",
    *(f"backbone.{part}" for part in BACKBONE),
)  # fmt: skip
"""Of which each configures a class that is needed to hear an artifact."""
_MADE = (
    *_HEARD, "guidance", "optimizer", "hardware", "logger", "autoencoder.objective",
    *(f"objective.{part}" for part in ("consistency", "boundary", "distance", "diffusion")),
    *(f"trainer.{stage}" for stage in _KEYS["trainer"]),
)  # fmt: skip
"""Of which each configures a class that is needed to make one."""


def needed_to_hear(plain: Mapping[str, Any]) -> list[str]:
    """Return what the configuration of an artifact has: all sections, and what is built of them to hear it."""
    sizes = [f"model.{key}" for key in _KEYS["model"]] + ["autoencoder.model.latent_channels"]
    return [*sorted(SECTIONS - OPTIONAL_SECTIONS), *sizes, *(f"{name}._target_" for name in _HEARD)]


def is_there(plain: object, name: str) -> bool:
    """Return whether a configuration has a setting of this name, its sections joined by dots."""
    for key in name.split("."):
        if not isinstance(plain, Mapping) or key not in plain:
            return False
        plain = plain[key]
    return True


def check_sections(plain: Mapping[str, Any]) -> None:
    """Check what no constructor does: which sections and keys there are, and the values of plain ones.

    Raises:
        UserError: one is missing, unknown, or of another kind.
    """
    optional = ("plan", "parallel", "teacher.backbone")
    keys = [f"{section}.{key}" for section, names in _KEYS.items() for key in names]
    check_there(plain, [name for name in (*sorted(SECTIONS), *keys) if name not in optional])
    for section, names in _KEYS.items():
        if odd := [str(key) for key in plain[section] if key not in names]:
            raise UserError(f"Unknown setting {section}.{odd[0]}.{nearest(odd[0], names)}")
    check_classes(plain, _MADE)
    check_paths(plain["paths"])
    for name, place in plain["parents"].items():
        if place is not None:
            check_place(f"parents.{name}", place)
    if (place := plain["teacher"]["initial"]) is not None:
        check_place("teacher.initial", place)
    _check_values(plain)


def check_there(plain: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a configuration without one of the settings of these names.

    Raises:
        UserError: it was left out, or its section was given as one value.
    """
    for name in names:
        section, _, _ = name.partition(".")
        if not is_there(plain, name):
            given = f" ({section}={plain[section]})" if section != name and section in plain else ""
            raise UserError(
                f"{name} is missing{given}: it has a default, which may be replaced but not left out."
            )


def check_classes(plain: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse a configuration in which one of these sections configures no class.

    Raises:
        UserError: it is missing, or one value.
    """
    for name in names:
        if not is_there(plain, f"{name}._target_"):
            from audiolcm.configuration.words import options_of  # imports Hydra

            own, group = name.replace(".", "/"), name.partition(".")[0]
            group = own if options_of(own) else group
            typed = "sampler@teacher_sampler" if group == "teacher_sampler" else group
            raise UserError(
                f"{name} chooses no option: leave it to its default, or choose {typed}=... of conf/"
                f"{typed.partition('@')[0]}."
            )


def check_paths(paths: Mapping[str, Any]) -> None:
    """Refuse a folder of ``paths`` that is none.

    Raises:
        UserError: it is empty, or a number, as of a folder named by a date.
    """
    for name in PATHS:
        check_place(f"paths.{name}", paths.get(name))


def check_place(name: str, place: object) -> None:
    """Refuse a place that is no text, or an empty one, as a variable gives that the shell does not know.

    Raises:
        UserError: it says how to type it.
    """
    if isinstance(place, str) and place.strip():
        return
    if type(place) is int:
        raise UserError(f"{name}={place} is a number: a folder of that name is typed {name}=./{place}")
    raise UserError(
        f"{name}={'' if place is None else place} names no folder: type one, or leave {name} out."
    )


def _check_values(plain: Mapping[str, Any]) -> None:
    if (retrofit := plain["teacher"]["retrofit"]) is not None:
        raise UserError(
            f"teacher.retrofit={retrofit} is refused: the published teacher has LayerNorm, learned positions and "
            "GEGLU. With others it is another network, for which there are no weights: it must be trained. Leave out "
            "teacher=..., then python train.py profile=paper dataset=... trains one."
        )
    if plain["stage"] not in (*STAGES, DESCRIBE):
        raise UserError(f"stage={plain['stage']}: choose {', '.join(STAGES)} or {DESCRIBE}.")
    check_whole("seed", plain["seed"], 0)
    check_whole("preview.seed", plain["preview"]["seed"], 0)
    check_whole("preview.num_clips", plain["preview"]["num_clips"], 1)
    if not isinstance(plain["preview"]["student_steps"], list):
        raise UserError(
            f"preview.student_steps={plain['preview']['student_steps']} must be a list, such as [1,2,4]."
        )
    for steps in plain["preview"]["student_steps"]:
        check_whole("preview.student_steps", steps, 1)
    check_model(plain["model"])


def check_model(model: Mapping[str, Any]) -> None:
    """Refuse sizes of the transformer that are no whole numbers, and predictions that there are none of.

    Raises:
        UserError: it names the setting.
    """
    for key in _KEYS["model"]:
        if key != "prediction_type":
            check_whole(f"model.{key}", model[key], 1)
    if (prediction := model["prediction_type"]) not in ("epsilon", "velocity"):
        raise UserError(f"model.prediction_type={prediction}: choose epsilon or velocity.")


def check_whole(name: str, value: object, least: int) -> None:
    """Refuse a value that is no whole number of at least ``least``.

    Raises:
        UserError: it says so.
    """
    if type(value) is not int or value < least:
        raise UserError(f"{name}={value!r} must be a whole number of at least {least}.")
