"""Table 6: the backbone without one of its parts, teacher and student trained again for each row."""

from experiments.items.columns import FAD, KL, by_fad_and_kl
from experiments.items.item import PaperRow, TableItem
from experiments.judging.claims import NamedRow

SENTENCE = "All designs within the transformer enhance the performance: without {} it is worse."
ROWS = (
    PaperRow("full", "AudioLCM", "AudioLCM"),
    PaperRow("without_rope", "w/o RoPE", "w/o RoPE", note="learned positions instead"),
    PaperRow("without_rmsnorm", "w/o RMSNorm", "w/o RMSNorm", note="LayerNorm instead"),
    PaperRow("without_swiglu", "w/o SwiGLU", "w/o SwiGLU", note="a GELU gate instead"),
)
CLAIMS = tuple(
    claim
    for row in ROWS[1:]
    for claim in by_fad_and_kl(
        SENTENCE.format(row.label.removeprefix("w/o ")),
        NamedRow("full", "the full backbone"),
        NamedRow(row.key, f"that {row.label}"),
    )
)

ITEM = TableItem(
    stem="table6_backbone",
    paper_item="Table 6",
    title="Ablation of the backbone (teacher and student trained for each row)",
    printed="table6",
    first_column="variant",
    columns=(FAD, KL),
    rows=ROWS,
    claims=CLAIMS,
)
