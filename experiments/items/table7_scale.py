"""Table 7: sizes of the model, each with its own teacher."""

from experiments.items.item import FAD, KL, NEITHER, Column, Line, TableItem, by_fad_and_kl, everywhere
from experiments.judging.claims import Row
from experiments.judging.sources import Millions

SENTENCE = "AudioLCM's performance improves with its number of parameters."
LINES = (
    Line("base", "AudioLCM-B", "AudioLCM-B"),
    Line("medium", "AudioLCM-M", "AudioLCM-M"),
    Line("large", "AudioLCM-L", "AudioLCM-L"),
    Line("xl", "AudioLCM-XL", "AudioLCM-XL"),
)
PAIRS = (("medium", "base"), ("large", "medium"), ("xl", "large"), ("xl", "base"))

ITEM = TableItem(
    stem="table7_scale",
    paper_item="Table 7",
    title="Sizes of the model",
    printed="table7",
    first_column="model",
    columns=(
        Column("parameters", "parameters", NEITHER, everywhere(Millions(("num_parameters",)))),
        FAD,
        KL,
    ),
    lines=LINES,
    claims=tuple(
        claim
        for larger, smaller in PAIRS
        for claim in by_fad_and_kl(SENTENCE, Row(larger, larger), Row(smaller, smaller))
    ),
    notes=("Parameters are those of the transformer, as in the paper.",),
)
