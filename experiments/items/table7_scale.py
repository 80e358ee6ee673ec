"""Table 7: sizes of the model, each with its own teacher."""

from experiments.items.columns import FAD, KL, NEITHER, by_fad_and_kl, everywhere
from experiments.items.item import PaperRow, TableItem
from experiments.judging.claims import NamedRow
from experiments.judging.sources import Fact, PaperColumn, in_millions

SENTENCE = "AudioLCM's performance improves with its number of parameters."
ROWS = (
    PaperRow("base", "AudioLCM-B", "AudioLCM-B"),
    PaperRow("medium", "AudioLCM-M", "AudioLCM-M"),
    PaperRow("large", "AudioLCM-L", "AudioLCM-L"),
    PaperRow("xl", "AudioLCM-XL", "AudioLCM-XL"),
)
PAIRS = (("medium", "base"), ("large", "medium"), ("xl", "large"), ("xl", "base"))

ITEM = TableItem(
    stem="table7_scale",
    paper_item="Table 7",
    title="Sizes of the model",
    printed="table7",
    first_column="model",
    columns=(
        PaperColumn(
            "parameters", "parameters", NEITHER, everywhere(Fact(("num_parameters",), shown=in_millions))
        ),
        FAD,
        KL,
    ),
    rows=ROWS,
    claims=tuple(
        claim
        for larger, smaller in PAIRS
        for claim in by_fad_and_kl(SENTENCE, NamedRow(larger, larger), NamedRow(smaller, smaller))
    ),
    notes=("Parameters are those of the transformer, as in the paper.",),
)
