"""Table 3: text-to-music on MusicCaps' evaluation set."""

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
from experiments.items.table1_audiocaps import MOS
from experiments.judging.claims import Claim, Row

CLAP = Column("CLAP", "clap", HIGHER, scored("clap", "clap_music_audioset", ("embedded",)))
BORROWED = "the paper's figures are borrowed from the MusicGen paper"

ITEM = TableItem(
    stem="table3_musiccaps",
    paper_item="Table 3",
    title="Text-to-music on MusicCaps: quality and speed",
    printed="table3",
    first_column="system",
    columns=(NFE, FAD, KL, CLAP, RTF, RTF_WARM, *MOS),
    lines=(
        Line("ground_truth", "Ground truth", "GroundTruth"),
        Line("riffusion", "Riffusion", "Riffusion"),
        Line("mousai", "Mousai", "Mousai", note=BORROWED),
        Line("melody", "Melody", "Melody", note=BORROWED),
        Line("musiclm", "MusicLM", "MusicLM", note=BORROWED),
        Line("musicgen", "MusicGen", "MusicGen"),
        Line("musicldm", "MusicLDM", "MusicLDM"),
        Line("audioldm2", "AudioLDM 2-Music", "AudioLDM 2"),
        Line("teacher", "Teacher", "Teacher"),
        Line("audiolcm", "AudioLCM", "AudioLCM"),
    ),
    claims=(
        *by_fad_and_kl(
            "The teacher outperforms the diffusion-based methods.",
            Row("teacher", "the teacher"), Row("audioldm2", "AudioLDM 2"),
        ),
        *by_fad_and_kl(
            "AudioLCM surpasses auto-regressive models.", Row("audiolcm", "AudioLCM"), Row("musicgen", "MusicGen")
        ),
        Claim(
            "Its speed is monumental beside the inference times of its contemporaries.",
            Row("audiolcm", "AudioLCM"), Row("teacher", "its teacher"), RTF.title, RTF.better, RTF.sources,
        ),
    ),
)  # fmt: skip
