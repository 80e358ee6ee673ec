"""The third stage: a latent diffusion model, and on request its text encoder with it."""

from audiolcm.objectives.objective import Objective
from audiolcm.stages.ingredients import Ingredients, of_teacher
from audiolcm.stages.known_teacher import DENOISER_SECTIONS
from audiolcm.stages.latents import latents, new_denoiser
from audiolcm.stages.trained_text import keep_text_encoder
from audiolcm.training.stage_runner import Parents, variant_name
from audiolcm.weights.artifacts import Artifact


def given_teacher(ingredients: Ingredients) -> Artifact | None:
    """Return the teacher that was trained before; None where one is trained.

    Raises:
        UserError: it, or the one that training begins with, is not of the configuration's network, text or schedule.
    """
    known = ingredients.known
    if known:
        known.check_denoiser(of_teacher(ingredients.cfg))
    return known.artifact if known and known.is_whole else None


def teacher(ingredients: Ingredients, autoencoder: Artifact, vocoder: Artifact) -> Artifact:
    """Return the teacher: noise prediction with dropped captions, on ``autoencoder``'s latents."""
    network, known = of_teacher(ingredients.cfg), ingredients.known
    parents = {"autoencoder": autoencoder} | ({"initial": known.artifact} if known else {})
    if trained := ingredients.trained_text_encoder:
        network = dict(network) | {"text_encoder": trained.standalone()}

    def objective() -> Objective:
        model = new_denoiser(ingredients, network, autoencoder)
        start = known.artifact.load_weights(model) if known else model
        return ingredients.method.noise_prediction(start, ingredients.unconditional, trained)

    def text_encoder(objective: Objective) -> Parents:
        if not trained:
            return {}
        kept = keep_text_encoder(ingredients, trained, objective.trained["text_average"], identity, network)
        return {"text_encoder": kept}

    sections = {name: network[name] for name in DENOISER_SECTIONS}
    sections["text_encoder"] = ingredients.text_identity | ({"trainable": True} if trained else {})
    sections["objective"] = ingredients.cfg["objective"]["diffusion"]
    identity = ingredients.identity("teacher", variant_name(network), parents, sections)
    recorded = ingredients.recorded_parents(parents, vocoder)
    made = ingredients.runner.make(
        identity,
        objective,
        lambda: latents(ingredients, "teacher", autoencoder),
        recorded,
        cfg=network,
        beside=text_encoder,
    )
    if trained:  # and is no longer what the configuration describes
        vars(ingredients).pop("text_encoder", None)
    return made
