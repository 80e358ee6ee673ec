"""The second stage: mels to waveforms."""

from collections.abc import Callable

from audiolcm.audio.mel import HOP_LENGTH
from audiolcm.configuration.build import build
from audiolcm.data.loading.dataset import WaveformClips
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.models.bigvgan import PUBLISHED, BigVGAN
from audiolcm.objectives.objective import Objective
from audiolcm.published.models import open_vocoder
from audiolcm.published.untrained import keep_vocoder
from audiolcm.stages.autoencoder import load_autoencoder
from audiolcm.stages.ingredients import Ingredients
from audiolcm.training.stage_runner import Config, Data
from audiolcm.weights.artifacts import Artifact, tensors_identity

NO_SOUND = (
    "The data were prepared from mels (dataset.mels=true), without the sounds that a vocoder is trained on. Take one "
    "that is there, vocoder=griffin_lim or parents.vocoder=FOLDER, or prepare the sounds."
)


def is_trained(ingredients: Ingredients) -> bool:
    """Return whether the vocoder is one that this configuration trains."""
    return ingredients.cfg["vocoder"]["objective"] is not None and not ingredients.cfg["parents"].get(
        "vocoder"
    )


def needs_autoencoder(cfg: Config) -> bool:
    """Return whether the section of a trained vocoder asks for an autoencoder in front of it."""
    return cfg["objective"].get("reconstructed_share", 0.0) is not None


def vocoder(ingredients: Ingredients, autoencoder: Callable[[], Artifact]) -> Artifact:
    """Return the vocoder, trained behind the autoencoder; one without an objective is kept as it is.

    Args:
        ingredients: what it is made of.
        autoencoder: makes the autoencoder; called where the vocoder is trained, and needs one.
    """
    if place := ingredients.cfg["parents"].get("vocoder"):
        return processes.first_then_others(lambda: open_vocoder(place))
    cfg, runner = ingredients.cfg["vocoder"], ingredients.runner
    if cfg["objective"] is None:
        return processes.first_then_others(lambda: keep_vocoder(runner.store, ingredients.cfg))
    if not ingredients.data.split("train").has_sound:
        raise UserError(NO_SOUND)
    parents = {"autoencoder": autoencoder()} if needs_autoencoder(cfg) else {}
    start = published_start(cfg)
    # Of published weights the content counts, not the path; the artifact then needs their files no more.
    kept = cfg if start is None else cfg | {"model": start.standalone}
    weights = {} if start is None else tensors_identity(start.state_dict())

    def objective() -> Objective:
        model = build(cfg["model"], "vocoder.model") if start is None else start
        before = load_autoencoder(parents["autoencoder"], runner.hardware.torch_device()) if parents else None
        return build(cfg["objective"], "vocoder.objective", model=model, autoencoder=before)

    def data() -> Data:
        samples = ingredients.crop_frames("vocoder") * HOP_LENGTH
        return ingredients.training_and_validation(lambda split: WaveformClips(split, samples))

    identity = ingredients.identity("vocoder", "", parents, {"vocoder": kept} | weights)
    return runner.make(identity, objective, data, parents, cfg=ingredients.cfg | {"vocoder": kept})


def published_start(cfg: Config) -> BigVGAN | None:
    """Return the published vocoder whose training the section goes on with; None where it starts from nothing."""
    if cfg["model"]["_target_"] != PUBLISHED:
        return None
    return build(cfg["model"], "vocoder.model")
