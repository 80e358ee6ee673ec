"""Table 2: zero-shot generation on Clotho's evaluation set."""

from experiments.items.baselines import AUDIOLDM2, MAKE_AN_AUDIO2, RELEASED, TANGO
from experiments.items.columns import FAD, HIGHER, KL, NFE, RTF, RTF_WARM, by_fad_and_kl, scored
from experiments.items.item import PaperRow, TableItem
from experiments.judging.claims import Claim, NamedRow, no_worse
from experiments.judging.sources import PaperColumn

INCEPTION = PaperColumn("IS", "is", HIGHER, scored("is", "is_panns"))
OURS, FOUR_STEPS = NamedRow("audiolcm", "AudioLCM"), NamedRow("audiolcm_4_steps", "AudioLCM with 4 steps")
OTHER, LARGE = NamedRow("make_an_audio2", "Make-An-Audio 2"), NamedRow("audioldm2_large", "AudioLDM 2-Large")

ITEM = TableItem(
    stem="table2_clotho",
    paper_item="Table 2",
    title="Zero-shot text-to-audio on Clotho",
    printed="table2",
    first_column="system",
    columns=(NFE, FAD, KL, INCEPTION, RTF, RTF_WARM),
    rows=(
        PaperRow("tango", "Tango", "TANGO", note=TANGO),
        PaperRow("audioldm2_large", "AudioLDM 2-Large", "AudioLDM 2-Large", note=AUDIOLDM2),
        PaperRow("make_an_audio2", "Make-An-Audio 2", "Make-An-Audio 2", note=MAKE_AN_AUDIO2),
        PaperRow("teacher", "Teacher", "Teacher"),
        PaperRow("audiolcm_4_steps", "AudioLCM, 4 steps", None),
        PaperRow(
            "audiolcm", "AudioLCM", "AudioLCM", note="RTF as printed; tables 1 and 3 print 0.003 for the same model"
        ),
    ),
    claims=(
        *(
            Claim(
                "AudioLCM with 4 steps has significantly better results than AudioLDM 2-Large and "
                "Make-An-Audio 2 in IS and FAD.",
                FOUR_STEPS, other, column,
            )
            for column in (INCEPTION, FAD)
            for other in (LARGE, OTHER)
        ),
        *by_fad_and_kl(
            "The model of 2 steps is competitive with the baselines.", OURS, OTHER, no_worse(0.1)
        ),
    ),
    notes=(RELEASED,),
)  # fmt: skip
