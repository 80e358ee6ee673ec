"""What the configuration of a stranger's model can make: parts of models, of the kind that is asked for, no more."""

from functools import partial
from pathlib import Path

import hydra.utils
import pytest
from torch import nn

from audiolcm.configuration.build import build
from audiolcm.configuration.checking import check
from audiolcm.configuration.kept import load_yaml
from audiolcm.configuration.schema import compose, to_yaml
from audiolcm.diffusion.sampler import Sampler
from audiolcm.errors import UserError


def stored(folder: Path, **sections: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(to_yaml(compose([]) | sections))
    return path


@pytest.mark.parametrize(
    "target",
    [
        "audiolcm.pipeline.AudioLCM.from_pretrained",  # asks the Hub
        "evaluation.features.panns.Panns16k",  # makes a folder and fetches weights into it
        "audiolcm.structure.language_model.OpenAICompatible.from_environment",
        "experiments.items.item.TableItem",
    ],
)
def test_a_model_names_only_classes_that_models_are_made_of(tmp_path: Path, target: str) -> None:
    path = stored(tmp_path, solver={"_target_": target})
    with pytest.raises(UserError, match=f"it names {target}, and no model is made of that"):
        load_yaml(path)


def test_a_name_of_a_model_does_not_lead_out_of_its_packages() -> None:
    with pytest.raises(UserError, match="is refused: it is not defined in"):
        check({"_target_": "audiolcm.training.loop.Interrupted"}, "solver")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 8, "depth": 2**31, "num_heads": 1, "kernel_size": 3, "prediction_type": "velocity"},
         "model.depth=2147483648 is out of range"),
        ({"width": 8, "depth": 1, "num_heads": 0.5, "kernel_size": 3, "prediction_type": "velocity"},
         "model.num_heads=0.5 must be a whole number|model.num_heads=0.5 is out of range"),
    ],
)  # fmt: skip
def test_sizes_of_a_model_are_bounded(tmp_path: Path, sizes: dict[str, object], message: str) -> None:
    path = stored(tmp_path, model=sizes)
    with pytest.raises(UserError, match=message):
        load_yaml(path)


BOUNDARY = {"_target_": "audiolcm.diffusion.boundary.BoundaryScalings"}
NETWORK = {"_target_": "audiolcm.models.autoencoder_linear.LinearPathAutoencoder"}
SAMPLER = {"_target_": "audiolcm.diffusion.sampler.ConsistencySampler"}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (BOUNDARY, "sampler cannot be built: .*BoundaryScalings makes no Sampler"),
        (SAMPLER | {"_partial_": True}, "sampler cannot be built: .* makes no Sampler"),
        (SAMPLER | {"_partial_": "yes"}, "sampler._partial_='yes' must be true or false"),
        (SAMPLER | {"boundary": "x"}, "sampler.boundary must be an object of BoundaryScalings"),
        (SAMPLER | {"boundary": {"sigma_data": 0.5}}, "sampler.boundary must be an object of BoundaryScalings"),
        (SAMPLER | {"boundary": BOUNDARY | {"_partial_": True}}, "sampler.boundary must be an object"),
        (SAMPLER | {"boundary": BOUNDARY | {"_partial_": []}}, "_partial_=.. must be true or false"),
        (NETWORK | {"multipliers": "${oc.env:HOME}"}, "sampler cannot be built: it holds a .* that is not resolved"),
        (NETWORK | {"multipliers": ['${oc.create:"{_target_: os.getcwd}"}']}, "that is not resolved"),
    ],
)  # fmt: skip
def test_what_is_built_is_checked_whole_and_of_the_kind_that_is_asked_for(node: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(node, "sampler", Sampler)


def told(made: object) -> object:
    """What an object holds, or a factory would make it with, as values that can be compared."""
    if isinstance(made, partial):
        return made.func, told(made.keywords)
    if isinstance(made, dict):
        return {name: told(value) for name, value in made.items()}
    if isinstance(made, list | tuple):
        return type(made), [told(value) for value in made]
    if isinstance(made, nn.Module):
        return str(made)
    return (type(made), told(vars(made))) if hasattr(made, "__dict__") else made


@pytest.mark.parametrize(
    "section", ["sampler", "backbone.norm", "autoencoder.model", "autoencoder.objective"]
)
def test_it_builds_what_hydra_instantiates(section: str) -> None:
    node = compose([])
    for name in section.split("."):
        node = node[name]
    assert told(build(node, section)) == told(hydra.utils.instantiate(node, _convert_="all"))
