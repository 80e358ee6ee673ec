"""Table 5: hyper-parameters and parameter counts, read from the built modules of one configuration."""

from experiments.items.item import NEITHER, Column, Line, TableItem
from experiments.judging.sources import Fact, Millions

ROW = "audiolcm"


def _line(printed: str, *names: str) -> Line:
    return Line(ROW, printed, printed, Fact(names))


ITEM = TableItem(
    stem="table5_hyperparameters",
    paper_item="Table 5",
    title="Hyper-parameters",
    printed="table5",
    first_column="hyper-parameter",
    columns=(Column("value", "value", NEITHER, {}),),
    lines=(
        _line("Autoencoder: input/output channels", "spectrogram_channels"),
        _line("Autoencoder: hidden channels", "latent_channels"),
        _line("Autoencoder: residual blocks", "residual_blocks"),
        _line("Autoencoder: spectrogram size", "spectrogram_size"),
        _line("Autoencoder: channel mult", "channel_mult"),
        _line("Backbone: input shape", "input_channels"),
        _line("Backbone: condition embed dim", "condition_embed_dim"),
        _line("Backbone: feed-forward hidden size", "hidden_size"),
        _line("Backbone: transformer heads", "heads"),
        _line("Backbone: transformer blocks", "attention_layers"),
        _line("Backbone: sampling steps", "sampling_steps"),
        _line("Text encoder: transformer embed channels", "text_encoder_channels"),
        _line("Text encoder: output project channels", "projection_channels"),
        _line("Text encoder: token length", "token_length"),
        Line(ROW, "Non-trainable parameters", "Non-trainable parameters", Millions(("num_non_trainable",))),
        Line(ROW, "Trainable parameters", "Trainable parameters", Millions(("num_trainable",))),
    ),
    notes=(
        "Transformer blocks are counted as the paper's numbers come out: one for each attention, of which a block of "
        "the code holds two.",
        "Non-trainable parameters are those that distillation holds beside the student: teacher, target, autoencoder "
        "and text encoder.",
    ),
)
