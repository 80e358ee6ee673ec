"""Table 2: zero-shot generation on Clotho's evaluation set."""

from experiments.items.item import (
    FAD,
    HIGHER,
    KL,
    NFE,
    RTF,
    RTF_WARM,
    Column,
    Line,
    TableItem,
    by_fad_and_kl,
    scored,
)
from experiments.judging.claims import Claim, NoWorse, Row

INCEPTION = Column("IS", "is", HIGHER, scored("is", "is_panns"))
OURS, FOUR_STEPS = Row("audiolcm", "AudioLCM"), Row("audiolcm_4_steps", "AudioLCM with 4 steps")
OTHER, LARGE = Row("make_an_audio2", "Make-An-Audio 2"), Row("audioldm2_large", "AudioLDM 2-Large")

ITEM = TableItem(
    stem="table2_clotho",
    paper_item="Table 2",
    title="Zero-shot text-to-audio on Clotho",
    printed="table2",
    first_column="system",
    columns=(NFE, FAD, KL, INCEPTION, RTF, RTF_WARM),
    lines=(
        Line("tango", "Tango", "TANGO"),
        Line("audioldm2_large", "AudioLDM 2-Large", "AudioLDM 2-Large"),
        Line("make_an_audio2", "Make-An-Audio 2", "Make-An-Audio 2"),
        Line("teacher", "Teacher", "Teacher"),
        Line("audiolcm_4_steps", "AudioLCM, 4 steps", None),
        Line("audiolcm", "AudioLCM", "AudioLCM", note="RTF as printed; tables 1 and 3 print 0.003 for the same model"),
    ),
    claims=(
        *(
            Claim(
                "AudioLCM with 4 steps has significantly better results than AudioLDM 2-Large and "
                "Make-An-Audio 2 in IS and FAD.",
                FOUR_STEPS, other, by.title, by.better, by.sources,
            )
            for by in (INCEPTION, FAD)
            for other in (LARGE, OTHER)
        ),
        *by_fad_and_kl(
            "The model of 2 steps is competitive with the baselines.", OURS, OTHER, NoWorse(0.1)
        ),
    ),
)  # fmt: skip
