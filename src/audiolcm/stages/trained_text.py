"""The text encoder that a teacher trained along: an artifact of its own, which the teacher's card names as its parent.

By that card the student, samplers, evaluation and exports find it, as they find that of a published checkpoint.
"""

from torch import nn

from audiolcm.configuration.schema import to_yaml
from audiolcm.distributed import processes
from audiolcm.distributed.sharded import gathered_in_first
from audiolcm.published.untrained import placed
from audiolcm.stages.ingredients import Ingredients
from audiolcm.training.stage_runner import Config
from audiolcm.types import TrainableTextEncoder
from audiolcm.weights.artifacts import Artifact, Identity, open_artifact


def keep_text_encoder(
    ingredients: Ingredients,
    encoder: TrainableTextEncoder,
    trained: nn.Module,
    teacher: Identity,
    cfg: Config,
) -> Artifact:
    """Write the artifact of a text encoder and return it; every process must call it, the first one writes.

    Args:
        ingredients: of the teacher.
        encoder: which was trained along.
        trained: what takes the place of its trained part, the average.
        teacher: what the teacher is made from, and so its text encoder.
        cfg: the configuration of the teacher, with the section that describes the artifact.
    """
    store = ingredients.runner.store
    identity = Identity("text_encoder", teacher.name, teacher.content)
    part = encoder.trained_part()
    (place,) = (name for name, module in encoder.named_modules() if module is part)
    tensors = {f"{place}.{name}": tensor for name, tensor in trained.state_dict().items()}
    gathered = gathered_in_first(encoder.state_dict() | tensors)
    folder = store.folder(identity)

    def write() -> None:
        encoder.save_tokenizers(folder)
        count = sum(parameter.numel() for parameter in encoder.parameters())
        facts = {"num_parameters": count, "derived_from": _origins(ingredients)}
        store.write(identity, gathered, to_yaml(placed(cfg)), facts)

    processes.first_decides(write)  # the others wait for it
    return open_artifact(folder)


def _origins(ingredients: Ingredients) -> list[dict[str, str]]:
    """Return where published weights that the training began with came from."""
    if ingredients.text_artifact is None:
        return []
    card = ingredients.text_artifact.card
    return [card["origin"]] if "origin" in card else card.get("derived_from", [])
