"""Our artifacts as one file of the released layout, for the released code: what ``read_released`` reads, written.

The layout holds one network alone: LayerNorm, learned positions, GEGLU, noise prediction, CLAP's BERT and T5. Another
one is refused; ``audiolcm export`` writes any.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn

from audiolcm.configuration.build import build
from audiolcm.configuration.kept import read_yaml
from audiolcm.errors import UserError
from audiolcm.models.clap_t5 import ClapT5
from audiolcm.published import layout
from audiolcm.published.checkpoint import WORDS, WORDS_AGAIN, computed_buffers
from audiolcm.storage.files import atomic_path
from audiolcm.weights.artifacts import Artifact, ArtifactStore, Identity, trained_steps
from audiolcm.weights.reading import misfits, shapes

log = logging.getLogger(__name__)

_MODELS = "audiolcm.models"
_BACKBONE = {
    "norm": f"{_MODELS}.norm.LayerNorm",
    "position": f"{_MODELS}.position.LearnedPosition",
    "feed_forward": f"{_MODELS}.feed_forward.GEGLU",
}
_ADVICE = (
    "The released layout cannot hold it. `audiolcm export` writes it in our own; one that can be written is trained "
    "with backbone/norm=layernorm backbone/position=learned backbone/feed_forward=geglu of profile=paper."
)


def write_released(model: Artifact, path: Path) -> dict[str, Tensor]:
    """Write a student with its teacher and target, a teacher, or an autoencoder alone; return the tensors by name.

    Beside it, under the same name, ``.yaml`` states the sizes of the denoiser in the released code's words.

    Raises:
        UserError: the layout cannot hold this model, a part of it is missing, or a file is there already.
    """
    beside = path.with_suffix(".yaml")
    if path.suffix != ".ckpt":
        raise UserError(f"-o {path}: the released layout is one file, such as {path.name}.ckpt.")
    if there := [str(file) for file in (path, beside) if file.exists()]:
        raise UserError(f"{there[0]} is there already: give another name by -o, or remove it.")
    stage = model.card["stage"]
    if stage == "autoencoder":
        tensors, sizes = _autoencoder_alone(model), None
    elif stage in ("student", "teacher"):
        tensors, sizes = _whole(model)
    else:
        raise UserError(f"{model.folder} is a {stage}: give a student, a teacher or an autoencoder.")
    with atomic_path(path) as temporary:
        step = trained_steps(model) or 0
        torch.save({"epoch": 0, "global_step": step, "state_dict": tensors}, temporary)
    if sizes is not None:
        with atomic_path(beside) as temporary:
            temporary.write_text(_sizes_in_their_words(sizes), encoding="utf-8")
    return tensors


def _autoencoder_alone(model: Artifact) -> dict[str, Tensor]:
    tensors = _autoencoder(model)
    scale = tensors.pop(layout.SCALE_FACTOR)
    log.info("An autoencoder's own file holds no scale_factor, which here is %g.", float(scale))
    return tensors


def _whole(model: Artifact) -> tuple[dict[str, Tensor], layout.Sizes]:
    """Return all tensors by their released names, and the sizes of the networks."""
    denoisers = _denoisers(model)
    tensors: dict[str, Tensor] = {}
    for part, artifact in denoisers.items():
        _check_denoiser(artifact)
        named = {layout.released_name(name): tensor for name, tensor in _weights(artifact).items()}
        if denoisers.keys() == {"teacher"} and not named[layout.OMEGA_PROJECTION].any():
            del named[layout.OMEGA_PROJECTION]  # Make-An-Audio 2's network has none; no teacher is told omega
        tensors |= {layout.DENOISERS[part] + name: tensor for name, tensor in named.items()}
    first = _autoencoder(model.parent("autoencoder"))
    tensors[layout.SCALE_FACTOR] = first.pop(layout.SCALE_FACTOR)
    tensors |= {layout.AUTOENCODER + name: tensor for name, tensor in first.items()}
    cfg = read_yaml(model.config_file())
    tensors |= {layout.TEXT_ENCODER + name: tensor for name, tensor in _text_encoder(model, cfg).items()}
    sizes = _checked(model, cfg["model"]["num_heads"], tensors, list(denoisers))
    if torch.equal(tensors[WORDS], tensors[WORDS_AGAIN]):
        tensors[WORDS] = tensors[WORDS_AGAIN]  # one table under two names, stored once
    return tensors | {name: buffer.float() for name, buffer in computed_buffers().items()}, sizes


def _autoencoder(artifact: Artifact) -> dict[str, Tensor]:
    cfg = read_yaml(artifact.config_file())
    if (kind := cfg["autoencoder"]["model"]["_target_"]) != f"{_MODELS}.autoencoder.Autoencoder":
        raise UserError(
            f"{artifact.folder} is another autoencoder than the released one: {kind.rpartition('.')[2]}. {_ADVICE}"
        )
    return _weights(artifact)


def _check_denoiser(artifact: Artifact) -> None:
    """Refuse what has the released names and shapes but means another network, or other noise."""
    cfg = read_yaml(artifact.config_file())
    for part, released in _BACKBONE.items():
        if (kind := cfg["backbone"][part]["_target_"]) != released:
            raise UserError(
                f"{artifact.folder} was trained with {kind.rpartition('.')[2]} as its {part}, the released network has "
                f"{released.rpartition('.')[2]}. {_ADVICE}"
            )
    if (prediction := cfg["model"]["prediction_type"]) != "epsilon":
        raise UserError(
            f"{artifact.folder} predicts the {prediction}, the released network the noise. {_ADVICE}"
        )
    if not torch.equal(build(cfg["schedule"], "schedule").betas, computed_buffers()["betas"].float()):
        raise UserError(f"{artifact.folder} has another noise schedule than the released one. {_ADVICE}")


def _denoisers(model: Artifact) -> dict[str, Artifact]:
    if model.card["stage"] == "teacher":
        return {"teacher": model}
    if not model.has_parent("teacher"):
        raise UserError(
            f"{model.folder} does not know its teacher, which the released layout holds too. Give the student's own "
            "folder, or export it with --with-teacher."
        )
    # What the conversion of a released file leaves beside its student; a training here keeps no target
    identity = Identity("target", model.card["name"], model.card.get("made_from", {}))
    target = ArtifactStore(model.folder.parents[1]).find(identity)
    if target is None:
        log.info("The EMA target of %s was not kept: the student's weights stand in its place.", model.folder)
    return {"teacher": model.parent("teacher"), "student": model, "target": target or model}


def _weights(artifact: Artifact) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in load_file(artifact.weights_file()).items()}


def _text_encoder(model: Artifact, cfg: Mapping[str, Any]) -> dict[str, Tensor]:
    if model.has_parent("text_encoder"):
        return _weights(model.parent("text_encoder"))
    encoder = build(cfg["text_encoder"], "text_encoder", nn.Module)
    if not isinstance(encoder, ClapT5):
        raise UserError(
            f"{model.folder} was trained with the text encoder {type(encoder).__name__}, the released one is CLAP's "
            f"BERT and T5 (text_encoder=clap_t5). {_ADVICE}"
        )
    return dict(encoder.state_dict())


def _checked(
    model: Artifact, num_heads: int, tensors: Mapping[str, Tensor], denoisers: list[str]
) -> layout.Sizes:
    """Return the sizes, once every name and shape is what the reader of such files asks for."""
    sizes = layout.Sizes.of(tensors, num_heads)
    wanted = {name: slot.shape for name, slot in layout.expected(sizes, denoisers).items()}
    if denoisers == ["teacher"]:
        omega = layout.DENOISERS["teacher"] + layout.OMEGA_PROJECTION
        wanted = {name: shape for name, shape in wanted.items() if name != omega or name in tensors}
    if problems := misfits(wanted, shapes(tensors)):
        raise UserError(f"{model.folder} is of another network than the released one: {problems}. {_ADVICE}")
    return sizes


def _sizes_in_their_words(sizes: layout.Sizes) -> str:
    model, first = sizes.model, sizes.autoencoder
    unet = {
        "in_channels": first["latent_channels"], "context_dim": sizes.text_width, "hidden_size": model["width"],
        "num_heads": model["num_heads"], "depth": model["depth"], "max_len": sizes.num_positions,
    }  # fmt: skip
    ddconfig = {
        "in_channels": first["num_mels"], "out_ch": first["num_mels"], "z_channels": first["latent_channels"],
        "ch": first["channels"], "ch_mult": first["multipliers"], "num_res_blocks": first["num_res_blocks"],
    }  # fmt: skip
    params = {"unet_config": {"params": unet}, "first_stage_config": {"params": {"ddconfig": ddconfig}}}
    return "# The sizes alone: put them into the released code's configuration.\n" + yaml.safe_dump(
        {"model": {"params": params}}, sort_keys=False
    )
