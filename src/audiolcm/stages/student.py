"""The fourth stage: the teacher, distilled by Algorithm 1."""

import torch
from torch import nn

from audiolcm.models.embedding import forget_guidance
from audiolcm.objectives.objective import Objective
from audiolcm.stages.ingredients import Ingredients, of_teacher
from audiolcm.stages.known_teacher import DENOISER_SECTIONS
from audiolcm.stages.latents import latents, new_denoiser
from audiolcm.training.stage_runner import variant_name
from audiolcm.weights.artifacts import Artifact


def student(
    ingredients: Ingredients, teacher: Artifact, autoencoder: Artifact, vocoder: Artifact
) -> Artifact:
    """Return the student: the teacher distilled by Algorithm 1."""
    cfg, method = ingredients.cfg, ingredients.method
    parents = {"teacher": teacher, "autoencoder": autoencoder}

    def objective() -> Objective:
        network = of_teacher(cfg)
        trained = forget_guidance(teacher.load_weights(new_denoiser(ingredients, network, autoencoder)))
        another = network["backbone"] != cfg["backbone"]
        start = initialize_from(new_denoiser(ingredients, cfg, autoencoder), trained) if another else None
        return method.distillation(trained, ingredients.unconditional, start)

    sections = {name: cfg[name] for name in (*DENOISER_SECTIONS, "solver", "guidance")}
    sections["text_encoder"] = ingredients.text_identity
    sections["objective"] = {name: cfg["objective"][name] for name in ("consistency", "boundary", "distance")}
    guided = f"w{method.guidance.w_min:g}-{method.guidance.w_max:g}"
    name = f"{variant_name(cfg)}-k{method.solver.k}-{guided}-seed{cfg['seed']}"
    identity = ingredients.identity("student", name, parents, sections)
    recorded = ingredients.recorded_parents(parents, vocoder)
    return ingredients.runner.make(
        identity, objective, lambda: latents(ingredients, "student", autoencoder), recorded, cfg=cfg
    )


@torch.no_grad()
def initialize_from(network: nn.Module, source: nn.Module) -> nn.Module:
    """Copy into ``network`` each weight of ``source`` that has the same name and shape; return the network.

    Of a student with another backbone than its teacher's all else is then the teacher's, and only the exchanged parts
    start untrained.
    """
    known = source.state_dict()
    for name, own in network.state_dict().items():
        if name in known and known[name].shape == own.shape:
            own.copy_(known[name])
    return network
