"""Table 3: text-to-music on MusicCaps' evaluation set."""

from experiments.items.baselines import AUDIOLDM2, MUSICGEN, MUSICLDM, RIFFUSION
from experiments.items.columns import FAD, HIGHER, KL, NFE, RTF, RTF_WARM, by_fad_and_kl, scored
from experiments.items.item import PaperRow, TableItem
from experiments.items.table1_audiocaps import MOS
from experiments.judging.claims import Claim, NamedRow
from experiments.judging.sources import PaperColumn

CLAP = PaperColumn("CLAP", "clap", HIGHER, scored("clap", "clap_music_audioset", ("embedded",)))
BORROWED = "the paper's figures are borrowed from the MusicGen paper"
OURS = NamedRow("audiolcm", "AudioLCM")

ITEM = TableItem(
    stem="table3_musiccaps",
    paper_item="Table 3",
    title="Text-to-music on MusicCaps: quality and speed",
    printed="table3",
    first_column="system",
    columns=(NFE, FAD, KL, CLAP, RTF, RTF_WARM, *MOS),
    rows=(
        PaperRow("ground_truth", "Ground truth", "GroundTruth"),
        PaperRow("riffusion", "Riffusion", "Riffusion", note=RIFFUSION),
        PaperRow("mousai", "Mousai", "Mousai", note=BORROWED),
        PaperRow("melody", "Melody", "Melody", note=BORROWED),
        PaperRow("musiclm", "MusicLM", "MusicLM", note=BORROWED),
        PaperRow("musicgen", "MusicGen", "MusicGen", note=MUSICGEN),
        PaperRow("musicldm", "MusicLDM", "MusicLDM", note=MUSICLDM),
        PaperRow("audioldm2", "AudioLDM 2-Music", "AudioLDM 2", note=AUDIOLDM2),
        PaperRow("teacher", "Teacher", "Teacher"),
        PaperRow("audiolcm", "AudioLCM", "AudioLCM"),
    ),
    claims=(
        *by_fad_and_kl(
            "The teacher outperforms the diffusion-based methods.",
            NamedRow("teacher", "the teacher"), NamedRow("audioldm2", "AudioLDM 2"),
        ),
        *by_fad_and_kl("AudioLCM surpasses auto-regressive models.", OURS, NamedRow("musicgen", "MusicGen")),
        Claim(
            "Its speed is monumental beside the inference times of its contemporaries.",
            OURS, NamedRow("teacher", "its teacher"), RTF,
        ),
    ),
)  # fmt: skip
