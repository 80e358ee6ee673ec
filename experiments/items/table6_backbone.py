"""Table 6: the backbone without one of its parts, teacher and student trained anew for each row."""

from experiments.items.item import FAD, KL, Line, TableItem, by_fad_and_kl
from experiments.judging.claims import Row

SENTENCE = "All designs within the transformer enhance the performance: without {} it is worse."
LINES = (
    Line("full", "AudioLCM", "AudioLCM"),
    Line("without_rope", "w/o RoPE", "w/o RoPE", note="learned positions instead"),
    Line("without_rmsnorm", "w/o RMSNorm", "w/o RMSNorm", note="LayerNorm instead"),
    Line("without_swiglu", "w/o SwiGLU", "w/o SwiGLU", note="a GELU gate instead"),
)
CLAIMS = tuple(
    claim
    for line in LINES[1:]
    for claim in by_fad_and_kl(
        SENTENCE.format(line.label.removeprefix("w/o ")),
        Row("full", "the full backbone"),
        Row(line.row, f"that {line.label}"),
    )
)

ITEM = TableItem(
    stem="table6_backbone",
    paper_item="Table 6",
    title="Ablation of the backbone (teacher and student trained for each row)",
    printed="table6",
    first_column="variant",
    columns=(FAD, KL),
    lines=LINES,
    claims=CLAIMS,
)
