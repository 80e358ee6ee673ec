"""Models that other people published: where their files lie, and that every weight in memory came from them."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.plain_data import read_json
from evaluation.features.joint import LOADING_ERRORS, bound_the_hub, local_folder, require_all_weights

EXTRA = 'pip install -e ".[baselines]"'
MIN_VOCABULARY = 20
"""Tokens that a tokenizer has at least. One without its files may have more, but then it reads all captions alike."""

_PROBES = ["a dog barks", "the rain falls"]


def require(name: str, *packages: str) -> None:
    """Refuse to go on without the packages that a system is made of.

    Raises:
        UserError: one is missing.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        raise UserError(f"system={name} needs {' and '.join(missing)}: type {EXTRA}")


def way_out(name: str, model: str, setting: str = "model") -> str:
    """Return what a user types to get the files of a model, to end a message with; ``setting`` names its folder."""
    if Path(model).expanduser().is_dir():
        return (
            f"Copy all files of the published repository (conf/system/{name}.yaml names it) into that folder, or leave "
            f"system.{setting}={model} out to have them fetched."
        )
    return (
        f"system={name} reads {model}. On a computer with a network, type `hf download {model}` (a model whose license "
        "must be accepted on its page first: `hf auth login`); or fill a cache elsewhere and name it, HF_HOME=FOLDER; "
        f"or copy the repository's files into a folder and name that, system.{setting}=FOLDER."
    )


def pipeline_folder(name: str, model: str) -> Path:
    """Return the folder of a diffusers pipeline: a folder, or a repository of the hub, fetched if it is not cached.

    Only what the pipeline reads is fetched, safetensors where there are any.

    Raises:
        UserError: it is no pipeline's folder, or cannot be fetched.
    """
    from diffusers import DiffusionPipeline

    folder = Path(model).expanduser()
    if not folder.is_dir():
        try:
            bound_the_hub()
            # pyrefly: ignore[not-callable]  (diffusers' stand-in for a package that lacks)
            folder = Path(DiffusionPipeline.download(model))
        except LOADING_ERRORS as error:
            raise UserError(
                f"{model} is not whole in the hub's cache and cannot be fetched: {reason(error.__cause__ or error)} "
                f"{way_out(name, model)}"
            ) from error
    if not (folder / "model_index.json").is_file():
        raise UserError(f"{folder} holds no pipeline: model_index.json is missing. {way_out(name, model)}")
    return folder


def repository_folder(name: str, model: str, files: Sequence[str], setting: str = "model") -> Path:
    """Return where ``files`` of a repository of the hub lie: ``model`` itself, or its cache, fetched if need be."""
    return Path(local_folder(model, files, True, way_out(name, model, setting))).expanduser()


def identity(folder: Path) -> str:
    """Return what names the content of a model's folder: the commit in a hub's cache, else a hash of all files."""
    if folder.parent.name == "snapshots":
        return folder.name
    digests = FileDigests().of(sorted(path for path in folder.rglob("*") if path.is_file()))
    return content_hash({str(path.relative_to(folder)): digest for path, digest in digests.items()})


def pipeline_classes(folder: Path, name: str, model: str) -> dict[str, str]:
    """Return the class of each part of a pipeline, as ``model_index.json`` lists them.

    Raises:
        UserError: the file cannot be read; arguments as those of ``networks``.
    """
    try:
        index = dict(read_json(folder / "model_index.json"))
    except (OSError, TypeError, ValueError) as error:
        said = f"model_index.json cannot be read ({error})"
        raise UserError(f"{name}: {folder}: {said}. {way_out(name, model)}") from error
    return {part: entry[1] for part, entry in index.items() if isinstance(entry, list) and entry[1]}


def networks(folder: Path, name: str, model: str, without: tuple[str, ...] = ()) -> dict[str, nn.Module]:
    """Return the networks that ``model_index.json`` lists, in float32; no weight of them is made up.

    Args:
        folder: of the pipeline.
        name: of the system, for messages.
        model: name of the pipeline, for messages.
        without: networks that are not needed.

    Raises:
        UserError: a file is missing or damaged, or lacks weights of its network.
    """
    import diffusers
    import transformers

    found = {}
    for part, wanted in pipeline_classes(folder, name, model).items():
        if part in without:
            continue
        for library in (transformers, diffusers):
            kind = getattr(library, wanted, None)
            if isinstance(kind, type) and issubclass(kind, nn.Module):
                found[part] = network(kind, folder / part, name, model)
                break
    return found


def network(kind: Any, folder: Path, name: str, model: str) -> Any:
    """Return a network of the class ``kind`` of transformers or diffusers from its folder, in float32.

    Raises:
        UserError: a file is missing or damaged, or lacks weights: both libraries only warn of that, and make them up.
    """
    options: dict[str, Any] = {"dtype": torch.float32}
    if kind.__module__.startswith("diffusers"):
        options = {"torch_dtype": torch.float32, "low_cpu_mem_usage": False}
    try:
        loaded, report = kind.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **options
        )
    except LOADING_ERRORS as error:
        raise UserError(f"No {kind.__name__} at {folder}: {reason(error)} {way_out(name, model)}") from error
    require_all_weights(report, kind.__name__, str(folder), way_out(name, model))
    return loaded.eval()


def check_tokenizer(tokenizer: Any, name: str, model: str) -> None:
    """Refuse a tokenizer that reads two captions alike: what transformers makes of an incomplete folder.

    Raises:
        UserError: it does.
    """
    first, second = tokenizer(_PROBES)["input_ids"]
    if first == second:
        raise UserError(
            f"A tokenizer of {model} gives {_PROBES[0]!r} and {_PROBES[1]!r} the same tokens: its files are missing or "
            f"incomplete. {way_out(name, model)}"
        )


def reason(error: BaseException) -> str:
    """Return the first line of what a library says."""
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return said if said.endswith((".", ":")) else f"{said}."
