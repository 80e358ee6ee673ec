"""Table 1: text-to-audio on AudioCaps' test set."""

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
    everywhere,
    scored,
)
from experiments.judging.claims import Claim, NoWorse, Row
from experiments.judging.sources import Listening

MOS = (
    Column("MOS-Q", "mos_q", HIGHER, everywhere(Listening("mos_q"))),
    Column("MOS-F", "mos_f", HIGHER, everywhere(Listening("mos_f"))),
)
CLAP = Column("CLAP", "clap", HIGHER, scored("clap", "clap_msclap", ("embedded",)))
OURS, TEACHER = Row("audiolcm", "AudioLCM"), Row("teacher", "its teacher")

ITEM = TableItem(
    stem="table1_audiocaps",
    paper_item="Table 1",
    title="Text-to-audio on AudioCaps: quality and speed",
    printed="table1",
    first_column="system",
    columns=(NFE, FAD, KL, CLAP, RTF, RTF_WARM, *MOS),
    lines=(
        Line("ground_truth", "Ground truth", "GT"),
        Line("audiogen_large", "AudioGen-Large", "AudioGen-Large"),
        Line("make_an_audio", "Make-An-Audio", "Make-An-Audio"),
        Line("audioldm", "AudioLDM", "AudioLDM", note="the paper's text names AudioLDM-L, its table AudioLDM"),
        Line("tango", "Tango", "Tango"),
        Line("audioldm2", "AudioLDM 2", "AudioLDM 2"),
        Line("audioldm2_large", "AudioLDM 2-Large", "AudioLDM 2-Large"),
        Line("make_an_audio2", "Make-An-Audio 2", "Make-An-Audio 2"),
        Line("consistencytta", "ConsistencyTTA", "ConsistencyTTA", note="KL as printed; its own paper reports 1.35"),
        Line("teacher", "Teacher", "Teacher"),
        Line("audiolcm", "AudioLCM", "AudioLCM"),
        Line("stable_audio_open", "Stable Audio Open", None),
    ),
    claims=(
        *by_fad_and_kl(
            "Even with only 2 inference steps, AudioLCM maintains competitive audio quality.",
            OURS, TEACHER, NoWorse(0.1),
        ),
        Claim(
            "AudioLCM's sampling substantially outperforms dominant diffusion-based models in speed.",
            OURS, TEACHER, RTF.title, RTF.better, RTF.sources,
        ),
        Claim(
            "AudioLCM has a lower FAD than AudioLDM 2-Large.",
            OURS, Row("audioldm2_large", "AudioLDM 2-Large"), FAD.title, FAD.better, FAD.sources,
        ),
    ),
    notes=("The paper's RTF is of one 4090Ti, one sound at a time.",),
)  # fmt: skip
