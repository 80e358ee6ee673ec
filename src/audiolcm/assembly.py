"""From a configuration to networks and the objectives of Algorithm 1: each is put together here, and only here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from audiolcm.configuration.build import BAD_VALUE, build
from audiolcm.configuration.kept import read_yaml
from audiolcm.diffusion.sampler import Sampler
from audiolcm.diffusion.schedule import NoiseSchedule
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.storage.tensors import without_initialization
from audiolcm.types import TextEncoder, TrainableTextEncoder
from audiolcm.weights.artifacts import Artifact

STUDENT_SAMPLER = "audiolcm.diffusion.sampler.ConsistencySampler"
TEACHER_SAMPLERS = {
    "ddim": "audiolcm.diffusion.sampler.DDIMSampler",
    "dpm_solver": "audiolcm.diffusion.sampler.DPMSolverPlusPlusSampler",
    "plms": "audiolcm.diffusion.plms.PLMSSampler",
}


def build_denoiser(cfg: Mapping[str, Any], text_width: int, latent_channels: int) -> Any:
    """Return the denoiser, a noise prediction network: sizes of ``model`` and three factories of ``backbone``."""
    from audiolcm.diffusion.velocity import VelocityPrediction
    from audiolcm.models.transformer import Transformer

    factories = {name: build(cfg["backbone"][name], f"backbone.{name}") for name in cfg["backbone"]}
    size = {name: cfg["model"][name] for name in ("width", "depth", "num_heads")}
    try:
        network = Transformer(latent_channels=latent_channels, text_width=text_width, **size, **factories)
    except BAD_VALUE as error:
        raise UserError(f"model cannot be built: {error}") from error
    if cfg["model"]["prediction_type"] == "epsilon":
        return network
    return VelocityPrediction(network, build(cfg["schedule"], "schedule"))


def load_text_encoder(model: Artifact, cfg: Mapping[str, Any]) -> TextEncoder:
    """Return the text encoder of a student or a teacher: its own artifact, or what its configuration describes."""
    if not model.has_parent("text_encoder"):
        return build(cfg["text_encoder"], "text_encoder", TextEncoder)
    return read_text_encoder(model.parent("text_encoder"), cfg)


def read_text_encoder(own: Artifact, cfg: Mapping[str, Any]) -> TextEncoder:
    """Return the text encoder of its own artifact, which ``cfg`` describes."""
    with without_initialization():
        encoder = build(cfg["text_encoder"], "text_encoder", TextEncoder, folder=own.config_file().parent)
    return own.load_weights(encoder)


def with_settings(sampler: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sampler's configuration with other settings, of which ``kind`` is another of the teacher's samplers.

    Settings that name another class are a whole section, and stand for themselves.

    Raises:
        UserError: there is no such kind, or the model or its sampler has no such setting.
    """
    if settings.get("_target_", sampler["_target_"]) != sampler["_target_"]:
        return dict(settings)
    given = {name: value for name, value in settings.items() if value is not None}
    is_students = sampler["_target_"] == STUDENT_SAMPLER
    if is_students and (odd := next((name for name in ("kind", "spacing", "eta") if name in given), None)):
        raise UserError(
            f"sampler.{odd}={given[odd]} is for teachers, and this is a student, with a sampler of its own: leave it "
            "out, or type system=teacher."
        )
    kind = given.pop("kind", None)
    if kind is not None and kind not in TEACHER_SAMPLERS:
        raise UserError(f"sampler.kind={kind}: choose {', '.join(TEACHER_SAMPLERS)}.")
    target = TEACHER_SAMPLERS[kind] if kind else sampler["_target_"]
    has_eta = target not in TEACHER_SAMPLERS.values() or target == TEACHER_SAMPLERS["ddim"]
    if "eta" in given and not has_eta:
        raise UserError(f"sampler.eta={given['eta']} is of DDIM: add sampler.kind=ddim, or leave it out.")
    if kind is None:
        return dict(sampler) | {name: value for name, value in settings.items() if name != "kind"}
    # A setting that is left out is as null, and another kind may not know it
    kept = {name: value for name, value in (dict(sampler) | given).items() if value is not None}
    return {name: value for name, value in kept.items() if name != "eta" or has_eta} | {"_target_": target}


class Parts(NamedTuple):
    """What turns captions into sound."""

    text_encoder: TextEncoder
    denoiser: nn.Module
    autoencoder: Autoencoder
    vocoder: nn.Module
    schedule: NoiseSchedule
    sampler: Sampler


def load_parts(model: Artifact, vocoder: Artifact, sampler: Mapping[str, object]) -> Parts:
    """Return a student or a teacher with all that it is heard through, with its weights.

    Args:
        model: the student or the teacher.
        vocoder: what it is heard through.
        sampler: settings that replace those of the run.
    """
    cfg = read_yaml(model.config_file())
    autoencoder = model.parent("autoencoder")
    autoencoder_cfg = read_yaml(autoencoder.config_file())["autoencoder"]["model"]
    vocoder_cfg = read_yaml(vocoder.config_file())["vocoder"]["model"]
    section = "teacher_sampler" if model.card["stage"] == "teacher" else "sampler"
    schedule = build(cfg["schedule"], "schedule", NoiseSchedule)
    chosen = build(with_settings(cfg[section], sampler), section, Sampler)
    chosen.timesteps(schedule.num_timesteps)  # refuses what it cannot do before anything large is read
    text_encoder = load_text_encoder(model, cfg)
    with without_initialization():  # all of them are loaded at once
        denoiser = build_denoiser(cfg, text_encoder.width, autoencoder_cfg["latent_channels"])
        autoencoder_model = build(autoencoder_cfg, "autoencoder.model", Autoencoder)
        vocoder_model = build(vocoder_cfg, "vocoder.model", nn.Module)
    return Parts(
        text_encoder,
        model.load_weights(denoiser),
        autoencoder.load_weights(autoencoder_model),
        vocoder.load_weights(vocoder_model),
        schedule,
        chosen,
    )


class Method:
    """The mathematics that a configuration chooses, which has no weights, and the objectives that are made with it.

    Raises:
        UserError: a schedule, k, range of guidance or distance that cannot be; before anything is trained.
    """

    def __init__(self, cfg: Mapping[str, Any]) -> None:
        self.cfg = cfg["objective"]
        self.schedule = build(cfg["schedule"], "schedule")
        self.solver = build(cfg["solver"], "solver")
        self.guidance = build(cfg["guidance"], "guidance")
        self.distance = build(self.cfg["distance"], "objective.distance")
        self.boundary = build(self.cfg["boundary"], "objective.boundary")

    def noise_prediction(
        self, denoiser: nn.Module, unconditional: Tensor, text_encoder: TrainableTextEncoder | None = None
    ) -> Any:
        """Return the objective of a teacher: noise prediction with dropped captions.

        Args:
            denoiser: the network that is trained.
            unconditional: text features of the empty caption, (1, tokens, width), or the ids of its tokens.
            text_encoder: one that is trained along, which takes ids.
        """
        trained = {} if text_encoder is None else {"text_encoder": text_encoder}
        return build(
            self.cfg["diffusion"],
            "objective.diffusion",
            model=denoiser,
            schedule=self.schedule,
            unconditional=unconditional,
            **trained,
        )

    def distillation(
        self, teacher: nn.Module, unconditional: Tensor, student: nn.Module | None = None
    ) -> Any:
        """Return the objective of a student: Algorithm 1.

        Args:
            teacher: a trained noise prediction network.
            unconditional: text features of the empty caption, (1, tokens, width).
            student: what the student starts as; None for a copy of the teacher.
        """
        return build(
            self.cfg["consistency"],
            "objective.consistency",
            teacher=teacher,
            student=student,
            schedule=self.schedule,
            boundary=self.boundary,
            solver=self.solver,
            guidance=self.guidance,
            distance=self.distance,
            unconditional=unconditional,
        )
