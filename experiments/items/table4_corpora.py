"""Table 4: the corpora of the training data, their hours and annotations counted from prepared manifests."""

from experiments.items.columns import NEITHER, everywhere
from experiments.items.item import PaperRow, TableItem
from experiments.judging.sources import Annotation, Fact, PaperColumn, in_hours

ITEM = TableItem(
    stem="table4_corpora",
    paper_item="Table 4",
    title="Training data: hours and kinds of annotation",
    printed="table4",
    first_column="corpus",
    columns=(
        PaperColumn("hours", "hours", NEITHER, everywhere(Fact(("hours",), shown=in_hours))),
        PaperColumn("annotation", "type", NEITHER, everywhere(Annotation())),
        PaperColumn("clips", None, NEITHER, everywhere(Fact(("num_clips",)))),
    ),
    rows=(
        PaperRow("audiocaps", "AudioCaps", "AudioCaps"),
        PaperRow("wavcaps", "WavCaps", "WavCaps"),
        PaperRow("wavtext5k", "WavText5K", "WavText5K"),
        PaperRow("macs", "MACS", "MACS"),
        PaperRow("clotho", "Clotho v2", "Clotho v2"),
        PaperRow("audiostock", "Audiostock", "Audiostock"),
        PaperRow("epidemic_sound", "Epidemic Sound", "Epidemic Sound"),
        PaperRow("adobe_audition", "Adobe Audition Sound Effects", "Adobe Audition Sound Effects"),
        PaperRow("lp_musiccaps", "LP-MusicCaps", "LP-MusicCaps", note="for text-to-music only"),
        PaperRow("fsd50k", "FSD50K", "FSD50K"),
        PaperRow("odeon", "ODEON Sound Effects", "ODEON Sound Effects"),
        PaperRow("urbansound8k", "UrbanSound8K", "UrbanSound8K"),
        PaperRow("esc50", "ESC-50", "ESC-50"),
        PaperRow("audioset", "AudioSet, filtered", "filtered AudioSet"),
        PaperRow("tut", "TUT", "TUT"),
        PaperRow("esc10", "ESC-10", None, note="the replica's data"),
        PaperRow("foley", "Foley", None, note="the replica's data, made by a program"),
        PaperRow("foley_music", "Foley music", None, note="the replica's data, made by a program"),
    ),
    notes=("The paper's total: 0.92 million samples, about 3,700 hours.",),
)
