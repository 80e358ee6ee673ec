"""Table 4: the corpora of the training data, their hours and annotations counted from prepared manifests."""

from experiments.items.item import NEITHER, Column, Line, TableItem, everywhere
from experiments.judging.sources import Annotation, Fact, Hours

ITEM = TableItem(
    stem="table4_corpora",
    paper_item="Table 4",
    title="Training data: hours and kinds of annotation",
    printed="table4",
    first_column="corpus",
    columns=(
        Column("hours", "hours", NEITHER, everywhere(Hours(("hours",)))),
        Column("annotation", "type", NEITHER, everywhere(Annotation())),
        Column("clips", None, NEITHER, everywhere(Fact(("num_clips",)))),
    ),
    lines=(
        Line("audiocaps", "AudioCaps", "AudioCaps"),
        Line("wavcaps", "WavCaps", "WavCaps"),
        Line("wavtext5k", "WavText5K", "WavText5K"),
        Line("macs", "MACS", "MACS"),
        Line("clotho", "Clotho v2", "Clotho v2"),
        Line("audiostock", "Audiostock", "Audiostock"),
        Line("epidemic_sound", "Epidemic Sound", "Epidemic Sound"),
        Line("adobe_audition", "Adobe Audition Sound Effects", "Adobe Audition Sound Effects"),
        Line("lp_musiccaps", "LP-MusicCaps", "LP-MusicCaps", note="for text-to-music only"),
        Line("fsd50k", "FSD50K", "FSD50K"),
        Line("odeon", "ODEON Sound Effects", "ODEON Sound Effects"),
        Line("urbansound8k", "UrbanSound8K", "UrbanSound8K"),
        Line("esc50", "ESC-50", "ESC-50"),
        Line("audioset", "AudioSet, filtered", "filtered AudioSet"),
        Line("tut", "TUT", "TUT"),
        Line("esc10", "ESC-10", None, note="the replica's data"),
        Line("foley", "Foley", None, note="the replica's data, made by a program"),
        Line("foley_music", "Foley music", None, note="the replica's data, made by a program"),
    ),
    notes=("The paper's total: 0.92 million samples, about 3,700 hours.",),
)
