"""All tables and figures of the paper by their stems, and what the paper prints in them."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

import yaml

from audiolcm.configuration.checking import nearest
from audiolcm.errors import UserError
from experiments.items.item import Item

STEMS = (
    "table1_audiocaps",
    "table2_clotho",
    "table3_musiccaps",
    "table4_corpora",
    "table5_hyperparameters",
    "table6_backbone",
    "table6_backbone_student",
    "table7_scale",
    "fig2a_solver_k",
    "fig2b_guidance",
    "fig3_speed",
)


def item_of(stem: str) -> Item:
    """Return how an item is shown.

    Raises:
        UserError: the paper has no such item.
    """
    if stem not in STEMS:
        raise UserError(
            f"There is no table or figure {stem}.{nearest(stem, STEMS)} Choose from: {', '.join(STEMS)}."
        )
    return import_module(f"{__package__}.{stem}").ITEM


def printed_table(name: str) -> Mapping[str, Mapping[str, str | None]]:
    """Return the texts of a table, such as ``table1``, by row and column: its own digits; None where it prints "/"."""
    content = _printed()[name]
    return {row: dict(zip(content["columns"], cells, strict=True)) for row, cells in content["rows"].items()}


def printed_figure(name: str) -> str:
    """Return what the paper says of a figure, such as ``figure2a``."""
    return str(_printed()["figures"][name])


@cache
def _printed() -> dict[str, Any]:
    return yaml.safe_load(files("experiments.items").joinpath("printed.yaml").read_text(encoding="utf-8"))
