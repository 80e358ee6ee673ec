"""Table 5: hyper-parameters and parameter counts, read from the built modules of one configuration."""

from collections.abc import Callable

from experiments.items.columns import NEITHER
from experiments.items.item import PaperRow, TableItem
from experiments.judging.sources import Fact, PaperColumn, in_full, in_millions

ROW = "audiolcm"


def _row(printed: str, name: str, shown: Callable[[float], str] = in_full) -> PaperRow:
    return PaperRow(ROW, printed, printed, Fact((name,), shown=shown))


ITEM = TableItem(
    stem="table5_hyperparameters",
    paper_item="Table 5",
    title="Hyper-parameters",
    printed="table5",
    first_column="hyper-parameter",
    columns=(PaperColumn("value", "value", NEITHER, {}),),
    rows=(
        _row("Autoencoder: input/output channels", "spectrogram_channels"),
        _row("Autoencoder: hidden channels", "latent_channels"),
        _row("Autoencoder: residual blocks", "residual_blocks"),
        _row("Autoencoder: spectrogram size", "spectrogram_size"),
        _row("Autoencoder: channel mult", "channel_mult"),
        _row("Backbone: input shape", "input_channels"),
        _row("Backbone: condition embed dim", "condition_embed_dim"),
        _row("Backbone: feed-forward hidden size", "hidden_size"),
        _row("Backbone: transformer heads", "heads"),
        _row("Backbone: transformer blocks", "attention_layers"),
        _row("Backbone: sampling steps", "sampling_steps"),
        _row("Text encoder: transformer embed channels", "text_encoder_channels"),
        _row("Text encoder: output project channels", "projection_channels"),
        _row("Text encoder: token length", "token_length"),
        _row("Non-trainable parameters", "num_non_trainable", shown=in_millions),
        _row("Trainable parameters", "num_trainable", shown=in_millions),
    ),
    notes=(
        "Transformer blocks are counted as the paper's numbers come out: one for each attention, of which a block of "
        "the code holds two.",
        "Non-trainable parameters are those that distillation holds beside the student: teacher, target, autoencoder "
        "and text encoder.",
    ),
)
