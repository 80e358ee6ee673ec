"""What teacher and student share: latents to train on, and the network."""

import logging

from torch import nn

from audiolcm.assembly import build_denoiser
from audiolcm.configuration.kept import load_yaml
from audiolcm.data.loading.captions import CaptionIds
from audiolcm.data.loading.dataset import LatentClips, encode_latents, encode_text
from audiolcm.data.store.prepared import PreparedSplit
from audiolcm.distributed import processes
from audiolcm.stages.autoencoder import load_autoencoder
from audiolcm.stages.ingredients import Ingredients, even_frames
from audiolcm.storage.hashing import content_hash
from audiolcm.training.stage_runner import Config, Data
from audiolcm.weights.artifacts import Artifact

log = logging.getLogger(__name__)


def latents(ingredients: Ingredients, stage: str, artifact: Artifact) -> Data:
    """Return training and validation sets of cached latents with cached text features, or with ids to be encoded.

    Args:
        ingredients: of the stage.
        stage: teacher or student, whose lengths are cut.
        artifact: the autoencoder.
    """
    runner, data = ingredients.runner, ingredients.data
    device = runner.hardware.torch_device()
    autoencoder, buckets = load_autoencoder(artifact, device), runner.settings[stage].length_buckets or []
    frames = sorted({*map(even_frames, buckets), ingredients.crop_frames(stage)})
    latent_folder = data.folder / f"latents-{artifact.weights_hash}"
    trained_text_encoder = ingredients.trained_text_encoder
    if trained_text_encoder:
        log.info(
            "%s: trains its text encoder too (text_encoder.trainable). No text features are cached for this stage: "
            "each step encodes its captions.",
            stage,
        )
    text_folder = data.folder / f"text-{content_hash(ingredients.text_identity)}"

    def clips(split: PreparedSplit) -> LatentClips:
        # Validation is at one length: the shortest, which all clips have.
        lengths = [number // 2 for number in (frames if split.name == "train" else frames[:1])]
        encoded = processes.first_then_others(
            # pyrefly: ignore[bad-argument-type]  (the cache's own protocol, of properties)
            lambda: encode_latents(autoencoder, split, latent_folder, frames, device)
        )
        if trained_text_encoder:
            text = CaptionIds(trained_text_encoder, split)
        else:
            text = processes.first_then_others(
                lambda: encode_text(ingredients.text_encoder, split, text_folder)
            )
        return LatentClips(encoded, text, lengths, float(autoencoder.scale_factor))

    return ingredients.training_and_validation(clips)


def new_denoiser(ingredients: Ingredients, cfg: Config, autoencoder: Artifact) -> nn.Module:
    """Return an untrained denoiser of the size and backbone that ``cfg`` names, for ``autoencoder``'s latents."""
    channels = load_yaml(autoencoder.config_file())["autoencoder"]["model"]["latent_channels"]
    return build_denoiser(cfg, ingredients.text_encoder.width, channels)
