"""Table 1: text-to-audio on AudioCaps' test set."""

from experiments.items.baselines import AUDIOLDM, AUDIOLDM2, MAKE_AN_AUDIO2, RELEASED, TANGO
from experiments.items.columns import FAD, HIGHER, KL, NFE, RTF, RTF_WARM, by_fad_and_kl, everywhere, scored
from experiments.items.item import PaperRow, TableItem
from experiments.judging.claims import Claim, NamedRow, no_worse
from experiments.judging.sources import Listening, PaperColumn

MOS = (
    PaperColumn("MOS-Q", "mos_q", HIGHER, everywhere(Listening("mos_q"))),
    PaperColumn("MOS-F", "mos_f", HIGHER, everywhere(Listening("mos_f"))),
)
CLAP = PaperColumn("CLAP", "clap", HIGHER, scored("clap", "clap_msclap", ("embedded",)))
OURS, TEACHER = NamedRow("audiolcm", "AudioLCM"), NamedRow("teacher", "its teacher")
LARGE = NamedRow("audioldm2_large", "AudioLDM 2-Large")

ITEM = TableItem(
    stem="table1_audiocaps",
    paper_item="Table 1",
    title="Text-to-audio on AudioCaps: quality and speed",
    printed="table1",
    first_column="system",
    columns=(NFE, FAD, KL, CLAP, RTF, RTF_WARM, *MOS),
    rows=(
        PaperRow("ground_truth", "Ground truth", "GT"),
        PaperRow("audiogen_large", "AudioGen-Large", "AudioGen-Large"),
        PaperRow("make_an_audio", "Make-An-Audio", "Make-An-Audio"),
        PaperRow(
            "audioldm", "AudioLDM", "AudioLDM",
            note=f"{AUDIOLDM}; the paper's text names AudioLDM-L, its table AudioLDM",
        ),
        PaperRow("tango", "Tango", "Tango", note=TANGO),
        PaperRow("audioldm2", "AudioLDM 2", "AudioLDM 2", note=AUDIOLDM2),
        PaperRow("audioldm2_large", "AudioLDM 2-Large", "AudioLDM 2-Large", note=AUDIOLDM2),
        PaperRow("make_an_audio2", "Make-An-Audio 2", "Make-An-Audio 2", note=MAKE_AN_AUDIO2),
        PaperRow(
            "consistencytta", "ConsistencyTTA", "ConsistencyTTA", note="KL as printed; its own paper reports 1.35"
        ),
        PaperRow("teacher", "Teacher", "Teacher"),
        PaperRow("audiolcm", "AudioLCM", "AudioLCM"),
        PaperRow("stable_audio_open", "Stable Audio Open", None),
    ),
    claims=(
        *by_fad_and_kl(
            "Even with only 2 inference steps, AudioLCM maintains competitive audio quality.",
            OURS, TEACHER, no_worse(0.1),
        ),
        Claim(
            "AudioLCM's sampling substantially outperforms dominant diffusion-based models in speed.",
            OURS, TEACHER, RTF,
        ),
        Claim("AudioLCM has a lower FAD than AudioLDM 2-Large.", OURS, LARGE, FAD),
    ),
    notes=(RELEASED, "The paper's RTF is of one 4090Ti, one sound at a time."),
)  # fmt: skip
