"""What the stages of one configuration share: its method, its data, its text encoder, and who makes artifacts."""

import copy
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch

from audiolcm.assembly import Method, build_denoiser, load_text_encoder, read_text_encoder
from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.configuration.build import build
from audiolcm.configuration.kept import load_yaml
from audiolcm.data.loading.dataset import MelClips
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData, PreparedSplit
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.stages.known_teacher import KnownTeacher, given_text_encoder, known_teacher
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.settings import TrainingSet
from audiolcm.training.stage_runner import Config, Data, StageRunner
from audiolcm.types import Mel, TextEncoder, TextTokens, TokenIds, TrainableTextEncoder, WeightedTextEncoder
from audiolcm.weights.artifacts import Artifact, Identity, tensors_identity


class Ingredients:
    """What the stages of one resolved configuration are made of.

    Raises:
        UserError: what can be told to be wrong before hours of training, such as a bad k, range or schedule.
    """

    def __init__(self, cfg: Config) -> None:
        self.method = Method(cfg)
        schedule = self.method.schedule
        # Of a schedule that was read the content counts, not the path; artifacts then need its file no more.
        cfg = dict(cfg) | {"schedule": schedule.standalone or cfg["schedule"]}
        for steps in [cfg["sampler"]["num_steps"], *cfg["preview"]["student_steps"]]:
            sampler = build(cfg["sampler"] | {"num_steps": steps}, "sampler")
            sampler.timesteps(schedule.num_timesteps)
        build(cfg["teacher_sampler"], "teacher_sampler").timesteps(schedule.num_timesteps)
        with torch.device("meta"):
            build_denoiser(cfg, text_width=8, latent_channels=8)
            build_denoiser(of_teacher(cfg), text_width=8, latent_channels=8)
        self.corpus = build(cfg["dataset"], "dataset")
        self.known = known_teacher(cfg)
        """A teacher that was trained before, whose autoencoder and text encoder are taken with it."""
        self.given_text = given_text_encoder(cfg, self.known)
        """A text encoder that was named by itself."""
        self.trains_text = bool(cfg["text_encoder"].get("trainable"))
        """Whether the teacher's training trains its text encoder too."""
        if self.text_artifact:
            # That of a known teacher belongs to it, as its autoencoder does.
            asked = {"trainable": True} if self.trains_text else {}
            cfg["text_encoder"] = text_encoder_of(self.text_artifact) | asked
        self.cfg = cfg
        self.runner = StageRunner(cfg)
        self._check_trained_text()
        for stage in self.trained_stages():
            self.runner.settings[stage].micro_batch_size(processes.count(), stage)
            if self.runner.settings[stage].length_buckets and stage not in ("teacher", "student"):
                raise UserError(
                    f"trainer.{stage}.length_buckets: this stage trains on short cuts of one length; buckets are for "
                    "teacher and student."
                )

    def _check_trained_text(self) -> None:
        """Refuse to train a text encoder with a teacher that is finished, or that keeps networks without it."""
        if self.trains_text and self.known and self.known.is_whole:
            raise UserError(
                f"text_encoder.trainable=true is of a teacher's training, but {self.known.setting}="
                f"{self.known.artifact.folder} is finished, with a text encoder of its own: leave one of them out."
            )
        if self.trains_text and self.runner.settings["teacher"].snapshots:
            raise UserError(
                "trainer.teacher.snapshots keeps networks without the text encoder that is trained along: leave it "
                "out, or text_encoder.trainable."
            )

    def trained_stages(self) -> list[str]:
        """Return the stages that this configuration trains, when they are not there yet."""
        given = {stage for stage, place in self.cfg["parents"].items() if place is not None}
        given |= {"autoencoder"} if self.known else set()
        given |= {"vocoder"} if self.cfg["vocoder"]["objective"] is None else set()
        return [stage for stage in self.runner.settings if stage not in given]

    @property
    def text_artifact(self) -> Artifact | None:
        """The artifact of the text encoder, where it has one: with a known teacher, or by itself."""
        if self.known and self.known.artifact.has_parent("text_encoder"):
            return self.known.artifact.parent("text_encoder")
        return self.given_text

    @cached_property
    def data(self) -> PreparedData:
        """The prepared corpus."""
        return processes.first_then_others(lambda: prepare(self.corpus, Path(self.cfg["paths"]["cache"])))

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """The text encoder, on the training device; frozen, unless the teacher trains it."""
        encoder = processes.first_then_others(self._load_text_encoder)  # which may download
        return encoder.to(self.runner.hardware.torch_device())

    def _load_text_encoder(self) -> TextEncoder:
        if self.known:
            return load_text_encoder(self.known.artifact, self.cfg)
        if self.given_text:
            return read_text_encoder(self.given_text, self.cfg)
        return build(self.cfg["text_encoder"], "text_encoder")

    @cached_property
    def text_identity(self) -> dict[str, object]:
        """What the text features depend on: the configuration, or the content of the weights where there are any."""
        if isinstance(self.text_encoder, WeightedTextEncoder):
            return self.text_encoder.identity() | tensors_identity(self.text_encoder.state_dict())
        return dict(self.cfg["text_encoder"])

    @cached_property
    def unconditional(self) -> TextTokens | TokenIds:
        """The empty caption: features, (1, tokens, width), computed once, or ids to be encoded in each step."""
        if trained := self.trained_text_encoder:
            return trained.ids([""], [""]).to(self.runner.hardware.torch_device())
        return self.text_encoder([""], [""])

    @property
    def trained_text_encoder(self) -> TrainableTextEncoder | None:
        """The text encoder where the teacher trains it.

        Raises:
            UserError: nothing of it can be trained.
        """
        if not self.trains_text:
            return None
        if not isinstance(self.text_encoder, TrainableTextEncoder):
            raise UserError(
                f"text_encoder.trainable=true: {type(self.text_encoder).__name__} has nothing that a teacher could "
                "train. Choose text_encoder=clap_t5, or leave it out."
            )
        return self.text_encoder

    def with_text_of(self, teacher: Artifact) -> "Ingredients":
        """Return these ingredients with the text encoder that ``teacher`` trained; the same where it trained none."""
        if not self.trains_text:
            return self
        other = copy.copy(self)
        for name in ("text_encoder", "text_identity", "unconditional"):
            vars(other).pop(name, None)  # what is there is of the encoder that the training began with
        other.known, other.given_text = KnownTeacher(teacher, "parents.teacher", True), None
        other.trains_text = False
        other.cfg = dict(self.cfg) | {"text_encoder": text_encoder_of(teacher)}
        return other

    def identity(
        self, stage: str, name: str, parents: dict[str, Artifact], sections: dict[str, object]
    ) -> Identity:
        """Return what ``stage`` is made from; ``name`` is what its folder is called beside the data set's name."""
        readable = f"{self.data.name}-{name}" if name else self.data.name
        return self.runner.identity(stage, readable, self.data.fingerprint, parents, sections)

    def crop_frames(self, stage: str) -> int:
        """Return the mel frames of a training example, an even number; of the longest where there are buckets."""
        return even_frames(self.runner.settings[stage].crop_seconds)

    def training_and_validation(self, make: Callable[[PreparedSplit], TrainingSet]) -> Data:
        """Return what ``make`` makes of both splits."""
        return make(self.data.split("train")), make(self.data.split("validation"))

    def spread_mels(self) -> Mel:
        """Return up to 64 mels spread over the training split."""
        clips = MelClips(self.data.split("train"), self.crop_frames("autoencoder"))
        indices = list(range(0, len(clips), max(1, len(clips) // 64)))[:64]
        return clips.batch(indices, generator_for(self.cfg["seed"], "spread"))["mel"]

    def recorded_parents(self, parents: dict[str, Artifact], vocoder: Artifact) -> dict[str, Artifact]:
        """Return what the card of a denoiser records: parents, the vocoder to listen through, its text encoder."""
        recorded = parents | {"vocoder": vocoder}
        if self.text_artifact:
            recorded["text_encoder"] = self.text_artifact
        return recorded


def text_encoder_of(model: Artifact) -> dict[str, object]:
    """Return the section of a model's configuration that describes its text encoder."""
    return load_yaml(model.config_file())["text_encoder"]


def of_teacher(cfg: Config) -> Config:
    """Return the configuration with the teacher's backbone, where that is another than the student's."""
    return dict(cfg) | {"backbone": cfg["teacher"].get("backbone") or cfg["backbone"]}


def even_frames(seconds: float) -> int:
    """Return the mel frames of a training example, an even number: a latent frame is two."""
    return 2 * max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
