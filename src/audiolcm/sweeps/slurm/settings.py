"""The settings of ``hydra/launcher=submitit_slurm``, checked before anything is submitted."""

import re
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from audiolcm.configuration.checking import nearest
from audiolcm.errors import UserError

_WORDS = ("name", "partition", "account", "qos", "constraint", "gres", "mail_user", "mail_type")
_NUMBERS = {  # with the least that makes sense
    "timeout_min": 1, "signal_delay_s": 0, "nodes": 1, "tasks_per_node": 1, "gpus_per_node": 0, "cpus_per_task": 1,
    "mem_gb": 1, "max_parallel": 1,
}  # fmt: skip
_NEEDED = ("name", "timeout_min", "signal_delay_s", "nodes", "tasks_per_node")
_OTHERS = {
    "wait": bool,
    "requeue": bool,
    "setup": list,
    "additional_parameters": dict,
    "parents": str,
    "group": str,
}
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as plain values.

    Raises:
        UserError: on an unknown setting, a bad value, one that would not stay on its line of the batch script, or
            where there is no SLURM.
    """
    plain: dict[str, Any] = {
        name: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for name, value in settings.items()
    }
    known = [*_WORDS, *_NUMBERS, *_OTHERS]
    for name, value in plain.items():
        if name not in known:
            raise UserError(
                f"Unknown setting hydra.launcher.{name}.{nearest(name, known)} Other options of sbatch go into "
                f"hydra.launcher.additional_parameters, such as +hydra.launcher.additional_parameters.{name}=..."
            )
        if name in _OTHERS and not isinstance(value, _OTHERS[name]):
            raise UserError(f"hydra.launcher.{name}={value!r} must be a {_OTHERS[name].__name__}.")
        least = _NUMBERS.get(name)
        empty = value is None and name not in _NEEDED
        if least is not None and not empty and (type(value) is not int or value < least):
            raise UserError(f"hydra.launcher.{name}={value!r} must be a whole number of at least {least}.")
    for name, value in _written(plain):
        if not str(value).isprintable():
            raise UserError(f"hydra.launcher.{name}={value!r} must be one line without control signs.")
    if odd := [name for name in plain["additional_parameters"] if not _OPTION.fullmatch(str(name))]:
        raise UserError(
            f"hydra.launcher.additional_parameters: {odd[0]!r} is no name of an option of sbatch."
        )
    if plain["parents"] not in ("dependent", "wait"):
        raise UserError(f"hydra.launcher.parents={plain['parents']}: choose dependent or wait.")
    if shutil.which("sbatch") is None:
        raise UserError(
            "There is no SLURM here: sbatch is not found. Type the command on a login node of the cluster, or leave "
            "out hydra/launcher=... to run the jobs one after the other on this machine."
        )
    return plain


def _written(plain: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what stands in the batch script as text; the lines of ``setup`` are the user's own."""
    yield from ((name, plain[name]) for name in (*_WORDS, "group"))
    yield from ((f"additional_parameters.{name}", v) for name, v in plain["additional_parameters"].items())
