"""The running average of a teacher that trainings of the released code with ``use_ema`` keep beside its weights.

LitEma names it ``model_ema.`` and the parameter's name below ``model.`` with every dot removed. The released
configurations say ``use_ema: false``. AudioLCM's sampler takes the student's own weights; the teacher's script
(txt2audio_for_2cap.py) takes the average where there is one.
"""

import logging
from pathlib import Path

from torch import Tensor

from audiolcm.errors import UserError
from audiolcm.published.layout import DENOISERS, Tensors
from audiolcm.weights.reading import misfits, shapes

log = logging.getLogger(__name__)

AVERAGE = "model_ema."
_COUNTERS = {f"{AVERAGE}decay", f"{AVERAGE}num_updates"}


def average_name(name: str) -> str:
    """Return LitEma's name of a parameter, such as ``model.diffusion_model.proj_in.weight``."""
    return AVERAGE + name.removeprefix("model.").replace(".", "")


def choose_weights(path: Path, state: Tensors, ema: bool) -> dict[str, Tensor]:
    """Return the tensors of a file without the running average, which takes the teacher's place where ``ema`` asks.

    Raises:
        UserError: there is no average where it was asked for, or it is of another network.
    """
    found = {name: tensor for name, tensor in state.items() if name.startswith(AVERAGE)}
    kept = {name: tensor for name, tensor in state.items() if name not in found}
    if not found:
        if ema:
            raise UserError(
                f"{path} holds no running average ({AVERAGE}): leave out --weights. An AudioLCM file's own average of "
                "its student is converted too, as the stage target."
            )
        return kept
    own = {average_name(name): name for name in kept if name.startswith(DENOISERS["teacher"])}
    wanted = shapes({average: kept[name] for average, name in own.items()})
    if problems := misfits(wanted, shapes({n: t for n, t in found.items() if n not in _COUNTERS})):
        raise UserError(f"{path}: its running average is of another network than its teacher: {problems}.")
    if not ema:
        log.warning(
            "%s: the teacher's own weights are taken, not its running average (%s). audiolcm convert %s -o FOLDER "
            "--weights ema takes that.", path, AVERAGE, path,
        )  # fmt: skip
        return kept
    log.info("%s: the teacher's weights are taken from its running average (%s).", path, AVERAGE)
    return kept | {name: state[average] for average, name in own.items()}
