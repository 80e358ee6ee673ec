"""All tables and figures of the paper by their stems."""

from importlib import import_module

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
