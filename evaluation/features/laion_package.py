"""The network of the package laion-clap, without what ``import laion_clap`` does.

That import makes tokenizers from the Hugging Face hub, which without a network are silently empty under transformers 5,
and adds the package's folder to ``sys.path``. The folder ``clap_module`` inside holds the networks and does neither: it
is read here as a package of its own under a private name. The text half is made from sizes, not from the hub, since all
of its weights come from CLAP's checkpoint.
"""

import functools
import importlib
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

from torch import nn
from transformers import RobertaConfig, RobertaModel

from audiolcm.errors import UserError

_PRIVATE_NAME = "_laion_clap_networks"
_NUMPY_2_FROM = (3, 13)
"""laion-clap asks for NumPy below 2, which no Python from here on has; with NumPy 2 its networks are as they were."""


def build_network(audio_model: str, text_sizes: RobertaConfig) -> nn.Module:
    """Return the package's CLAP with random weights, in evaluation mode.

    Args:
        audio_model: one of the package's ``model_configs``, such as ``HTSAT-tiny``.
        text_sizes: of RoBERTa; its hidden size must be 768.

    Raises:
        UserError: laion-clap, or what it imports, is not installed.
    """
    sizes = json.loads((_folder() / "model_configs" / f"{audio_model}.json").read_text())
    sizes["text_cfg"]["model_type"] = "roberta"
    module = networks()
    with _text_half_of(module, text_sizes):
        return module.CLAP(**sizes).eval()


@functools.cache
def networks() -> ModuleType:
    """Return the package's ``clap_module.model``, imported under a private name.

    Raises:
        UserError: laion-clap, or what it imports, is not installed.
    """
    # A package without __init__.py: the real one would import the training code as well.
    spec = importlib.machinery.ModuleSpec(_PRIVATE_NAME, loader=None, is_package=True)
    spec.submodule_search_locations = [str(_folder())]
    sys.modules[_PRIVATE_NAME] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{_PRIVATE_NAME}.model")
    except ImportError as error:
        raise UserError(
            f"The networks of LAION's CLAP cannot be imported: {error}. {how_to_install()}"
        ) from error


def _folder() -> Path:
    package = importlib.util.find_spec("laion_clap")  # finds it without importing it
    if package is None or not package.submodule_search_locations:
        raise UserError(f"The networks of LAION's CLAP are missing. {how_to_install()}")
    return Path(package.submodule_search_locations[0]) / "clap_module"


def how_to_install() -> str:
    """Return what to type for laion-clap on this Python."""
    if sys.version_info < _NUMPY_2_FROM:
        return "Type: pip install laion-clap==1.1.7"
    return (
        f"On Python 3.{sys.version_info[1]} the package laion-clap is not installed along with us, because it asks "
        "for NumPy 1; its networks run with NumPy 2 all the same. Type:\n"
        "  pip install -c constraints.txt h5py torchvision && pip install --no-deps laion-clap==1.1.7\n"
        "or use Python 3.11 or 3.12, or CLAP of transformers: metrics=clap_htsat_unfused."
    )


@contextmanager
def _text_half_of(module: ModuleType, sizes: RobertaConfig) -> Iterator[None]:
    """Let CLAP make its RoBERTa from sizes where it would ask the hub; only the private module is touched."""
    original = module.RobertaModel
    # pyrefly: ignore[missing-attribute]  (a module's name is replaced)
    module.RobertaModel = SimpleNamespace(from_pretrained=lambda _name: RobertaModel(sizes))
    try:
        yield
    finally:
        module.RobertaModel = original  # pyrefly: ignore[missing-attribute]  (a module's name is replaced)
