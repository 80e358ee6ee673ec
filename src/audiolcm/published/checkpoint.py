"""Reading a released checkpoint strictly: every tensor has its place, or is one that is computed again and compared."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audiolcm.errors import UserError
from audiolcm.published import layout
from audiolcm.published.released_config import NUM_HEADS, ReleasedConfig
from audiolcm.published.running_average import choose_weights
from audiolcm.weights.reading import misfits, read_checkpoint, shapes

log = logging.getLogger(__name__)

POSITION_IDS = f"{layout.TEXT_ENCODER}caption_encoder.base.embeddings.position_ids"
WORDS = f"{layout.TEXT_ENCODER}t5_transformer.shared.weight"
WORDS_AGAIN = f"{layout.TEXT_ENCODER}t5_transformer.encoder.embed_tokens.weight"


@dataclass(frozen=True)
class ReleasedCheckpoint:
    """What a released file holds, under our names.

    ``kind`` is "audiolcm", "make_an_audio_2" or "autoencoder". ``parts`` are teacher, student, target (the last two of
    AudioLCM only), autoencoder (with ``scale_factor``, 1 where the file holds none) and text_encoder (not beside an
    autoencoder alone). Tensors stay in the file until they are used.
    """

    path: Path
    kind: str
    sizes: layout.Sizes
    parts: dict[str, dict[str, Tensor]]


def read_released(path: Path, config: ReleasedConfig | None = None, ema: bool = False) -> ReleasedCheckpoint:
    """Read audiolcm.ckpt, maa2.ckpt, a training's file of the same layout, or an autoencoder's own file.

    Args:
        path: the file.
        config: what its configuration states that no shape tells; None: as the released models.
        ema: take the teacher's weights from the running average ``model_ema.`` that some trainings keep.

    Raises:
        UserError: the file is damaged, is of another model, or a tensor is missing, left over, of another shape or,
            where it can be computed, of another value; the first ones are named.
    """
    state = _state_dict(path)
    kind = _kind(state)
    try:
        sizes, slots = _wanted(path, state, kind, config)
    except (KeyError, ValueError, IndexError, ZeroDivisionError, RuntimeError) as error:
        raise UserError(
            f"{path} is no checkpoint of AudioLCM or Make-An-Audio 2: {_look(state, error)}"
        ) from error
    state = _completed(kind, slots, _without_the_rest(path, kind, choose_weights(path, state, ema), sizes))
    if problems := misfits({name: slot.shape for name, slot in slots.items()}, shapes(state)):
        raise UserError(
            f"{path} is not the released checkpoint that it looks like ({kind}): {problems}. If it is damaged, get it "
            "again; a file of another version of the code cannot be read."
        )
    _check_numbers(path, state)
    if kind != "autoencoder" and not torch.equal(state[WORDS], state[WORDS_AGAIN]):
        log.warning("%s holds T5's table of words twice, not alike: %s is used.", path, WORDS_AGAIN)
        state[WORDS] = state[WORDS_AGAIN]
    parts: dict[str, dict[str, Tensor]] = {}
    for name, slot in slots.items():
        parts.setdefault(slot.part, {})[slot.name] = state[name]
    return ReleasedCheckpoint(path, kind, sizes, parts)


def _state_dict(path: Path) -> dict[str, Tensor]:
    stored = read_checkpoint(path, mapped=True)
    state = stored.get("state_dict", stored) if isinstance(stored, dict) else None
    if not isinstance(state, dict):
        return {}
    return {str(name): torch.as_tensor(v) for name, v in state.items() if isinstance(v, Tensor | float)}


def _kind(state: layout.Tensors) -> str:
    tops = {name.partition(".")[0] for name in state}
    if tops >= {"encoder", "decoder"}:
        return "autoencoder"
    found = [part for part, prefix in layout.DENOISERS.items() if any(n.startswith(prefix) for n in state)]
    return "make_an_audio_2" if found == ["teacher"] else "audiolcm"


def _wanted(
    path: Path, state: layout.Tensors, kind: str, config: ReleasedConfig | None
) -> tuple[layout.Sizes, dict[str, layout.Slot]]:
    """Return the sizes that the shapes tell, and the place of every tensor of such a network."""
    if kind == "autoencoder":
        sizes = layout.Sizes.of_autoencoder(state)
        slots = layout.expected_of_autoencoder(sizes)
        return sizes, slots | {layout.SCALE_FACTOR: layout.Slot(kind, layout.SCALE_FACTOR, ())}
    sizes = layout.Sizes.of(state, config.num_heads if config else NUM_HEADS)
    if config:
        config.check(path, sizes.model)
    return sizes, layout.expected(sizes, list(layout.DENOISERS) if kind == "audiolcm" else ["teacher"])


def _without_the_rest(path: Path, kind: str, state: layout.Tensors, sizes: layout.Sizes) -> dict[str, Tensor]:
    """Return the networks' tensors: without those that are computed, which are compared, and without a loss's own."""
    known = computed_buffers()
    if sizes.bert:
        known[POSITION_IDS] = torch.arange(sizes.bert["max_position_embeddings"], dtype=torch.float64)[None]
    kept = {name: tensor for name, tensor in state.items() if not _recomputed(path, name, tensor, known)}
    loss = ("" if kind == "autoencoder" else layout.AUTOENCODER) + "loss."
    networks = {name: tensor for name, tensor in kept.items() if not name.startswith(loss)}
    if left_out := len(kept) - len(networks):
        log.info("%s: %d tensors of the autoencoder's loss, its discriminator, are left out.", path, left_out)
    return networks


def _completed(kind: str, slots: Mapping[str, layout.Slot], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with those that a kind of file never has: they are as before any training."""
    omega = layout.DENOISERS["teacher"] + layout.OMEGA_PROJECTION
    if kind == "make_an_audio_2" and omega not in state:
        # It never knew omega. From zero a student begins as its teacher; the released code begins at Xavier's numbers
        return state | {omega: torch.zeros(slots[omega].shape)}
    if kind == "autoencoder":  # the scale of its latents belongs to the diffusion model, which measures it
        return state | {layout.SCALE_FACTOR: torch.ones(())}
    return state


def _check_numbers(path: Path, state: layout.Tensors) -> None:
    """Refuse a tensor that is not of finite floating point numbers."""
    for name, tensor in state.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu" and tensor.is_floating_point()
        if not plain or not all(bound.isfinite() for bound in torch.aminmax(tensor.detach())):
            raise UserError(
                f"{path}: {name} holds something else than finite numbers ({tensor.dtype}): the file is damaged. "
                "Get it again."
            )


def _look(state: layout.Tensors, error: Exception) -> str:
    """Say what a file holds that is of another model."""
    advice = "Give audiolcm.ckpt, maa2.ckpt, or a file of the autoencoder alone (encoder., decoder.)."
    if not state:
        return f"it holds no table of tensors. {advice}"
    tops = sorted({name.partition(".")[0] for name in state})
    return f"it holds {len(state)} tensors below {', '.join(tops[:6])}, and misses {error}. {advice}"


def _recomputed(path: Path, name: str, tensor: Tensor, known: dict[str, Tensor]) -> bool:
    """Return whether a tensor is one that needs no loading, after comparing it with what it should be."""
    if name not in known:
        return False
    if tensor.shape != known[name].shape or not torch.allclose(
        tensor.double(), known[name], rtol=1e-4, atol=1e-7
    ):
        raise UserError(
            f"{path}: {name} differs from what the released settings give (1000 timesteps, beta from 0.00085 to "
            "0.012, scaled linear). The file was made with other settings and cannot be used."
        )
    return True


def computed_buffers() -> dict[str, Tensor]:
    """Return the buffers of latent diffusion that the released schedule fixes, by name, (1000,) float64 each.

    These, and BERT's ``position_ids``, are all that a released file may hold beside the networks: they may be there or
    not, and are compared when they are. The posterior is that of DDPM (Ho et al., 2020, Eq. 6 and 7).
    """
    # As the released code, in float64 throughout: rounded to float32 they are its own, bit for bit
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    total = torch.cumprod(1 - betas, dim=0)
    previous = torch.cat((torch.ones(1, dtype=torch.float64), total[:-1]))
    variance = betas * (1 - previous) / (1 - total)
    return {
        "betas": betas,
        "alphas_cumprod": total,
        "alphas_cumprod_prev": previous,
        "sqrt_alphas_cumprod": total.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - total).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - total).log(),
        "sqrt_recip_alphas_cumprod": (1 / total).sqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / total - 1).sqrt(),
        "posterior_variance": variance,
        "posterior_log_variance_clipped": variance.clamp_min(1e-20).log(),
        "posterior_mean_coef1": betas * previous.sqrt() / (1 - total),
        "posterior_mean_coef2": (1 - previous) * (1 - betas).sqrt() / (1 - total),
    }
