"""Table 6 in its cheaper reading: only the student is trained for each row, from a teacher of the full backbone."""

from experiments.items.columns import FAD, KL
from experiments.items.item import TableItem
from experiments.items.table6_backbone import CLAIMS, ROWS

ITEM = TableItem(
    stem="table6_backbone_student",
    paper_item="Table 6 (student only)",
    title="Ablation of the backbone (only the student trained for each row)",
    printed="table6",
    first_column="variant",
    columns=(FAD, KL),
    rows=ROWS,
    claims=CLAIMS,
    notes=(
        "Not what the paper's text implies: the student of a changed backbone can not start from its teacher's "
        "weights, so this compares that loss too.",
    ),
)
