"""Time and memory of the released weights: ``python benchmarks/published.py [FOLDER]`` (needs 14 GB there for a while).

The released file cannot be fetched by a test, so this writes one of the same names and shapes with random weights,
converts it and makes a sound, each in a process of its own, as typed. Beside each: what copying the file takes.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from audiolcm.published.layout import DENOISERS, Sizes, expected
from audiolcm.weights.artifacts import code_version

RELEASED = Sizes(
    model={"width": 576, "depth": 4, "num_heads": 8, "kernel_size": 9},
    num_positions=1000,
    text_width=1024,
    autoencoder={
        "channels": 384,
        "multipliers": [1, 2, 4],
        "num_res_blocks": 2,
        "latent_channels": 20,
        "num_mels": 80,
    },
    bert={"vocab_size": 30522},  # the rest are BertConfig's defaults
    t5={"vocab_size": 32128, "d_model": 1024, "d_kv": 64, "d_ff": 2816, "num_layers": 24, "num_heads": 16},
)


def random_file(path: Path) -> None:
    """Write a file of the released layout as PyTorch Lightning does."""
    state: dict[str, Tensor] = {
        name: torch.empty(slot.shape).normal_(0, 0.02) for name, slot in expected(RELEASED, DENOISERS).items()
    }
    words = "cond_stage_model.t5_transformer"
    state[f"{words}.encoder.embed_tokens.weight"] = state[f"{words}.shared.weight"]
    state["scale_factor"] = torch.tensor(1.0)
    torch.save({"epoch": 1, "global_step": 1, "state_dict": state}, path)


def word_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of ``size`` words; which ones does not matter to the clock."""
    words = [
        "<pad>",
        "<unk>",
        *["a", "dog", "barks", "the", "rain", "falls"],
        *(f"word{i}" for i in range(size - 8)),
    ]
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token="<unk>")


def timed(*arguments: str) -> tuple[float, float]:
    """Run ``audiolcm`` and return its seconds and its peak memory in GB."""
    code = (
        "import sys; from audiolcm.commands.cli import main; code = main(sys.argv[1:]); "
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]); sys.exit(code)"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - began, int(done.stdout.split()[-1]) * 1024 / 1e9


def main(place: Path) -> None:
    """Print one line for the copy, the conversion and the sound."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        source = folder / "audiolcm.ckpt"
        random_file(source)
        size = source.stat().st_size / 1e9
        word_tokenizer(30522).save_pretrained(folder / "bert")
        word_tokenizer(32100).save_pretrained(folder / "t5")
        began = time.perf_counter()
        shutil.copyfile(source, folder / "copy")
        copied = time.perf_counter() - began
        (folder / "copy").unlink()
        tokenizers = ["--bert", str(folder / "bert"), "--t5", str(folder / "t5")]
        converted = timed(
            "convert", str(source), "-o", str(folder / "a"), "--vocoder", "griffin_lim", *tokenizers
        )
        sound = ["--checkpoint", str(folder / "a"), "-o", str(folder / "a.wav")]
        made = timed("generate", "a dog barks", *sound)
    sys.stdout.write(f"{code_version()}; file {size:.2f} GB, in the page cache; copying it {copied:.1f} s\n")
    for what, (seconds, memory) in (("convert", converted), ("generate, 5 s", made)):
        sys.stdout.write(
            f"{what:14s} {seconds:5.1f} s  {memory:.2f} GB  {memory / size:.2f} times the file\n"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
