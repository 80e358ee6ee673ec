"""Whether a run was finished before, told without loading a model or reading a data set's sound.

It is taken for finished when its ``result.json`` records the very same inputs (see ``inputs_of``) and the artifact
that it names is whole. Anything else sends the run the long way, over its stages, which then finds what is there.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache

from audiolcm.configuration.build import build
from audiolcm.configuration.fingerprint import code_of_plugins
from audiolcm.data.preparing.prepare import prepared_fingerprint
from audiolcm.errors import UserError
from audiolcm.storage.file_digests import FileDigests
from audiolcm.storage.hashing import content_hash
from audiolcm.storage.run_folder import RESULT, read_result

_ELSEWHERE = ("logger", "paths", "dataset", "objective_metric", "row", "plugins")
"""Sections that change no result, or that the fingerprints of data and plugins stand for."""


def inputs_of(cfg: Mapping[str, Any]) -> str:
    """Return a hash of all that can change what a run leaves.

    That is the resolved configuration without logger and places, the code of its plugins, the fingerprint of the data
    (files that were hashed once are known by size and time), and size and time of every file that the configuration
    names, or holds in a folder or on a hub's shelf that it names.
    """
    corpus = build(cfg["dataset"], "dataset")
    digests = FileDigests(Path(cfg["paths"]["cache"]) / f"digests-{corpus.name}.jsonl")
    settings = {name: value for name, value in cfg.items() if name not in _ELSEWHERE}
    files = [stamp for text in _texts(settings) for stamp in _stamps(text)]
    plugins = [code] if (code := code_of_plugins(cfg)) else []
    return content_hash([settings, prepared_fingerprint(corpus, digests), files, *plugins])


def found_finished(folder: Path, inputs: str, artifacts: Path) -> bool:
    """Return whether the run in ``folder`` left its result from these inputs, and all of it is still there."""
    result = read_result(folder)
    made = Path(str(result.get("folder")))
    return (
        result.get("status") == "done"
        and result.get("inputs") == inputs
        and (folder / "summary.md").is_file()
        and (made / "card.json").is_file()
        and (made / "model.safetensors").is_file()
        and made.absolute().is_relative_to(artifacts.absolute())
    )


def objective_of(folder: Path, metric: str, direction: str) -> float:
    """Return the figure that a search minimizes or maximizes: of a failed job the worst there is.

    Raises:
        UserError: the job is done, but left no such figure.
    """
    result = read_result(folder)
    if result.get("status") != "done":
        return -math.inf if direction == "maximize" else math.inf
    figures = result.get("figures", {})
    if metric not in figures:
        raise UserError(
            f"objective_metric={metric} is no figure of {folder / RESULT}. There are: {', '.join(figures)}."
        )
    value = figures[metric]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(
            f"objective_metric={metric} is {value!r} in {folder / RESULT}, which is no number to search by."
        )
    return float(value) if math.isfinite(value) else objective_of(Path(), metric, direction)


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value)


def _stamps(text: str) -> list[tuple[str, int, int]]:
    """Return path, size and time of the files that a text names; nothing where it is no name of any."""
    if not text or "\n" in text or len(text) > 1000:
        return []
    place = Path(text).expanduser()
    if "/" in text and not place.exists():
        shelf = _on_the_shelf(text)
        place = shelf.parent if shelf else place
    files = sorted(p for p in place.iterdir() if p.is_file()) if place.is_dir() else [place]
    facts = [(str(file.resolve()), file.stat()) for file in files if file.is_file()]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in facts]


def _on_the_shelf(name: str) -> Path | None:
    """Return a file of the hub's repository in the local cache; its place tells of the version."""
    try:
        found = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name of a repository
        return None
    return Path(found) if isinstance(found, str) else None
