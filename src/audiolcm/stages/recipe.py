"""The four stages and what each is made from: autoencoder, vocoder, teacher, student.

Each property is a finished artifact. Asking for the student makes whatever is missing before it.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from audiolcm.audio.mel import HOP_LENGTH, SAMPLE_RATE
from audiolcm.configuration.build import build, build_transformer
from audiolcm.configuration.schema import load_yaml
from audiolcm.data.loading.dataset import LatentClips, MelClips, WaveformClips, encode_latents, encode_text
from audiolcm.data.preparing.prepare import prepare
from audiolcm.data.store.prepared import PreparedData, PreparedSplit
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.models.autoencoder import Autoencoder
from audiolcm.models.embedding import forget_guidance
from audiolcm.models.initialize_from import started_from
from audiolcm.objectives.objective import Objective
from audiolcm.pipeline import load_text_encoder
from audiolcm.published.models import open_vocoder
from audiolcm.published.untrained import keep_vocoder
from audiolcm.stages.known_teacher import DENOISER_SECTIONS, known_teacher
from audiolcm.stages.stage_runner import Config, Data, Workshop, variant_name
from audiolcm.storage.hashing import content_hash
from audiolcm.training.reproducibility import generator_for
from audiolcm.training.training_set import TrainingSet
from audiolcm.types import Mel, TextEncoder, TextTokens, WeightedTextEncoder
from audiolcm.weights.artifacts import Artifact, Identity, tensors_identity


class Recipe:
    """The stages of one resolved configuration."""

    def __init__(self, cfg: Config) -> None:
        # Built first, so that a bad k, range or schedule is refused before hours of training its parents.
        self.schedule = build(cfg["schedule"], "schedule")
        # Of a schedule that was read the content counts, not the path; artifacts then need its file no more.
        cfg = dict(cfg) | {"schedule": self.schedule.standalone or cfg["schedule"]}
        self.solver = build(cfg["solver"], "solver")
        self.guidance = build(cfg["guidance"], "guidance")
        self.distance = build(cfg["objective"]["distance"], "objective.distance")
        for steps in [cfg["sampler"]["num_steps"], *cfg["preview"]["student_steps"]]:
            sampler = build(cfg["sampler"] | {"num_steps": steps}, "sampler")
            sampler.timesteps(self.schedule.num_timesteps)
        build(cfg["teacher_sampler"], "teacher_sampler").timesteps(self.schedule.num_timesteps)
        with torch.device("meta"):
            build_transformer(cfg, text_width=8, latent_channels=8)
            build_transformer(self.of_teacher(cfg), text_width=8, latent_channels=8)
        self.corpus = build(cfg["dataset"], "dataset")
        self._known = known_teacher(cfg)
        if self._known and self._known.artifact.has_parent("text_encoder"):
            # Its own text encoder belongs to it, as its autoencoder does.
            cfg["text_encoder"] = load_yaml(self._known.artifact.config_file())["text_encoder"]
        self.cfg = cfg
        self.workshop = Workshop(cfg)
        for stage in self.trained_stages():
            self.workshop.settings[stage].piece_size(processes.count(), stage)
            if self.workshop.settings[stage].length_buckets and stage not in ("teacher", "student"):
                raise UserError(
                    f"trainer.{stage}.length_buckets: this stage trains on short cuts of one length; buckets are for "
                    "teacher and student."
                )

    def trained_stages(self) -> list[str]:
        """Return the stages that this configuration trains, when they are not there yet."""
        given = {stage for stage, place in self.cfg["parents"].items() if place is not None}
        given |= {"autoencoder"} if self._known else set()
        given |= {"vocoder"} if self.cfg["vocoder"]["objective"] is None else set()
        return [stage for stage in self.workshop.settings if stage not in given]

    @cached_property
    def data(self) -> PreparedData:
        """The prepared corpus."""
        return processes.first_then_others(lambda: prepare(self.corpus, Path(self.cfg["paths"]["cache"])))

    @cached_property
    def text_encoder(self) -> TextEncoder:
        """The frozen text encoder, on the training device."""
        encoder = processes.first_then_others(self._load_text_encoder)  # which may download
        return encoder.to(self.workshop.hardware.torch_device())

    def _load_text_encoder(self) -> TextEncoder:
        if self._known:
            return load_text_encoder(self._known.artifact, self.cfg)
        return build(self.cfg["text_encoder"], "text_encoder")

    @cached_property
    def text_identity(self) -> dict[str, object]:
        """What the text features depend on: the configuration, or the content of the weights where there are any."""
        if isinstance(self.text_encoder, WeightedTextEncoder):
            return self.text_encoder.identity() | tensors_identity(self.text_encoder.state_dict())
        return dict(self.cfg["text_encoder"])

    @cached_property
    def unconditional(self) -> TextTokens:
        """Text features of the empty caption, (1, tokens, width), computed once."""
        return self.text_encoder([""], [""])

    @cached_property
    def autoencoder(self) -> Artifact:
        """Return the autoencoder, with its ``scale_factor`` measured on the training latents."""
        if given := self.workshop.given("autoencoder"):
            return given
        if self._known:
            return self._known.artifact.parent("autoencoder")  # the one whose latents it knows
        cfg = self.cfg["autoencoder"]

        def objective() -> Objective:
            self._find_given_weights()
            model = build(cfg["model"], "autoencoder.model")
            model.start_from(self._spread_mels())
            return build(cfg["objective"], "autoencoder.objective", model=model)

        def data() -> Data:
            return self._both(lambda split: MelClips(split, self.crop_frames("autoencoder")))

        identity = self._identity("autoencoder", "", {}, {"autoencoder": cfg})
        return self.workshop.make(identity, objective, data, {}, self._measure_scale)

    @cached_property
    def vocoder(self) -> Artifact:
        """Return the vocoder, trained behind the autoencoder; one without an objective is kept as it is."""
        if place := self.cfg["parents"].get("vocoder"):
            return processes.first_then_others(lambda: open_vocoder(place))
        cfg = self.cfg["vocoder"]
        if cfg["objective"] is None:
            return processes.first_then_others(lambda: keep_vocoder(self.workshop.store, self.cfg))
        parents = {"autoencoder": self.autoencoder}

        def objective() -> Objective:
            model = build(cfg["model"], "vocoder.model")
            return build(
                cfg["objective"], "vocoder.objective", model=model, autoencoder=self.load_autoencoder()
            )

        def data() -> Data:
            samples = self.crop_frames("vocoder") * HOP_LENGTH
            return self._both(lambda split: WaveformClips(split, samples))

        identity = self._identity("vocoder", "", parents, {"vocoder": cfg})
        return self.workshop.make(identity, objective, data, parents)

    @cached_property
    def teacher(self) -> Artifact:
        """Return the teacher: noise prediction with dropped captions."""
        cfg, network = self.cfg["objective"]["diffusion"], self.of_teacher(self.cfg)
        if known := self._known:
            known.check_denoiser(network)
            if known.is_whole:
                return known.artifact
        parents = {"autoencoder": self.autoencoder} | ({"initial": known.artifact} if known else {})

        def objective() -> Objective:
            model = self.new_denoiser(network)
            return build(
                cfg,
                "objective.diffusion",
                model=known.artifact.load_weights(model) if known else model,
                schedule=self.schedule,
                unconditional=self.unconditional,
            )

        sections = {name: network[name] for name in DENOISER_SECTIONS} | {"text_encoder": self.text_identity}
        identity = self._identity("teacher", variant_name(network), parents, sections | {"objective": cfg})

        def data() -> Data:
            return self.latents("teacher")

        return self.workshop.make(identity, objective, data, self._heard(parents), cfg=network)

    @cached_property
    def student(self) -> Artifact:
        """Return the student: the teacher distilled by Algorithm 1."""
        parents = {"teacher": self.teacher, "autoencoder": self.autoencoder}
        cfg, network = self.cfg["objective"], self.of_teacher(self.cfg)

        def objective() -> Objective:
            teacher = forget_guidance(parents["teacher"].load_weights(self.new_denoiser(network)))
            another = network["backbone"] != self.cfg["backbone"]
            return build(
                cfg["consistency"],
                "objective.consistency",
                teacher=teacher,
                student=started_from(teacher, self.new_denoiser(self.cfg)) if another else None,
                schedule=self.schedule,
                boundary=build(cfg["boundary"], "objective.boundary"),
                solver=self.solver,
                guidance=self.guidance,
                distance=self.distance,
                unconditional=self.unconditional,
            )

        sections = {name: self.cfg[name] for name in (*DENOISER_SECTIONS, "solver", "guidance")}
        sections["text_encoder"] = self.text_identity
        sections["objective"] = {name: cfg[name] for name in ("consistency", "boundary", "distance")}
        name = f"{variant_name(self.cfg)}-k{self.solver.k}-w{self.guidance.w_min:g}-{self.guidance.w_max:g}"
        identity = self._identity("student", f"{name}-seed{self.cfg['seed']}", parents, sections)
        return self.workshop.make(identity, objective, lambda: self.latents("student"), self._heard(parents))

    def of_teacher(self, cfg: Config) -> Config:
        """Return the configuration with the teacher's backbone, where that is another than the student's."""
        return dict(cfg) | {"backbone": cfg["teacher"].get("backbone") or cfg["backbone"]}

    def new_denoiser(self, cfg: Config) -> nn.Module:
        """Return an untrained denoiser of the size and backbone that ``cfg`` names."""
        channels = load_yaml(self.autoencoder.config_file())["autoencoder"]["model"]["latent_channels"]
        return build_transformer(cfg, self.text_encoder.width, channels)

    def load_autoencoder(self) -> Autoencoder:
        """Return the trained autoencoder on the training device."""
        cfg = load_yaml(self.autoencoder.config_file())["autoencoder"]["model"]
        model = self.autoencoder.load_weights(build(cfg, "autoencoder.model"))
        return model.to(self.workshop.hardware.torch_device())

    def _find_given_weights(self) -> None:
        """Load what is not trained here, so that a missing file is refused before the first stage trains for days."""
        if self.cfg["vocoder"]["objective"] is None or self.cfg["parents"].get("vocoder"):
            self.vocoder  # noqa: B018 (asking for it loads it)
        self.text_encoder  # noqa: B018

    def _heard(self, parents: dict[str, Artifact]) -> dict[str, Artifact]:
        """Return what a card records: the parents, the vocoder that this run listens through, and a text encoder."""
        recorded = parents | {"vocoder": self.vocoder}
        if self._known and self._known.artifact.has_parent("text_encoder"):
            recorded["text_encoder"] = self._known.artifact.parent("text_encoder")
        return recorded

    def _identity(
        self, stage: str, name: str, parents: dict[str, Artifact], sections: dict[str, object]
    ) -> Identity:
        readable = f"{self.data.name}-{name}" if name else self.data.name
        return self.workshop.identity(stage, readable, self.data.fingerprint, parents, sections)

    def crop_frames(self, stage: str) -> int:
        """Return the mel frames of a training example, an even number; of the longest where there are buckets."""
        return even_frames(self.workshop.settings[stage].crop_seconds)

    def _both(self, make: Callable[[PreparedSplit], TrainingSet]) -> Data:
        return make(self.data.split("train")), make(self.data.split("validation"))

    def latents(self, stage: str) -> Data:
        """Return training and validation sets of cached latents with cached text features."""
        autoencoder, buckets = self.load_autoencoder(), self.workshop.settings[stage].length_buckets or []
        frames = sorted({*map(even_frames, buckets), self.crop_frames(stage)})
        device = self.workshop.hardware.torch_device()
        latent_folder = self.data.folder / f"latents-{self.autoencoder.weights_hash}"
        text_folder = self.data.folder / f"text-{content_hash(self.text_identity)}"

        def clips(split: PreparedSplit) -> LatentClips:
            # Validation is at one length: the shortest, which all clips have.
            lengths = [number // 2 for number in (frames if split.name == "train" else frames[:1])]
            latents = processes.first_then_others(
                # pyrefly: ignore[bad-argument-type]  (the cache's own protocol, of properties)
                lambda: encode_latents(autoencoder, split, latent_folder, frames, device)
            )
            text = processes.first_then_others(lambda: encode_text(self.text_encoder, split, text_folder))
            return LatentClips(latents, text, lengths, float(autoencoder.scale_factor))

        return self._both(clips)

    def _spread_mels(self) -> Mel:
        """Return up to 64 mels spread over the training split."""
        clips = MelClips(self.data.split("train"), self.crop_frames("autoencoder"))
        indices = list(range(0, len(clips), max(1, len(clips) // 64)))[:64]
        return clips.batch(indices, generator_for(self.cfg["seed"], "spread"))["mel"]

    @torch.no_grad()
    def _measure_scale(self, autoencoder: nn.Module) -> None:
        """Set ``scale_factor`` to 1 / std of training latents, as the released code does with its first batch."""
        # pyrefly: ignore[no-matching-overload]  (torch types a module's attributes as Tensor | Module)
        mel = self._spread_mels().to(autoencoder.scale_factor.device)
        # pyrefly: ignore[not-callable]  (torch types a module's attributes as Tensor | Module)
        autoencoder.scale_factor.fill_(1.0 / float(autoencoder.encode(mel).mode().std()))


def even_frames(seconds: float) -> int:
    """Return the mel frames of a training example, an even number: a latent frame is two."""
    return 2 * max(1, round(seconds * SAMPLE_RATE / HOP_LENGTH / 2))
