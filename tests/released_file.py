"""Files of the released layout with random weights, and tokenizers to go with them: full names, any width."""

import json
import math
import re
from pathlib import Path

import torch
import yaml
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from audiolcm.models.bigvgan import BigVGAN
from audiolcm.models.bigvgan_checkpoint import published_layout

DENOISERS = {
    "audiolcm": ("model.diffusion_model.", "unet.diffusion_model.", "target_unet.diffusion_model."),
    "make_an_audio_2": ("model.diffusion_model.",),
}
# A twelfth or so of the released sizes: every number of the layout that is a width.
SMALL_DENOISER = {576: 64, 4608: 512, 2304: 256, 1024: 48}
SMALL_AUTOENCODER = {384: 32, 768: 64, 1536: 128}
SMALL_BERT = {768: 16, 3072: 32, 30522: 40, 1024: 48}
SMALL_T5 = {1024: 48, 2816: 64, 32128: 44, 16: 4}
WORDS = tuple("a dog barks then rain falls on the roof < > & @ start end all is barking it".split())  # noqa: SIM905

Layout = dict[str, dict[str, list[int]]]


def read_layout(folder: Path) -> Layout:
    """Names and shapes by part: denoiser, autoencoder, text encoder, vocoder."""
    parts = json.loads((folder / "released_layout.json").read_text())
    return {name.partition(" (")[0]: keys for name, keys in parts.items()}


def small_layout(layout: Layout, depth: int = 2) -> Layout:
    """The same names, narrower, with ``depth`` blocks of each transformer."""

    def shrink(shape: list[int], sizes: dict[int, int]) -> list[int]:
        return [sizes.get(size, size) for size in shape]

    def kept(name: str) -> bool:
        number = re.search(r"blocks\.(\d+)|encoder\.block\.(\d+)|encoder\.layer\.(\d+)", name)
        return number is None or int(next(filter(None, number.groups()))) < depth

    text = {
        name: shrink(shape, SMALL_T5 if name.startswith("t5") else SMALL_BERT)
        for name, shape in layout["text encoder"].items()
        if kept(name)
    }
    inner = 4 * 8  # heads of T5 times their width
    for name in text:
        if name.endswith(("Attention.q.weight", "Attention.k.weight", "Attention.v.weight")):
            text[name] = [inner, 48]
        elif name.endswith("Attention.o.weight"):
            text[name] = [48, inner]
    return {
        "denoiser": {
            name: shrink(shape, {} if name.startswith("t_embedder.proj_w") else SMALL_DENOISER)
            for name, shape in layout["denoiser"].items()
            if kept(name)
        },
        "autoencoder": {n: shrink(shape, SMALL_AUTOENCODER) for n, shape in layout["autoencoder"].items()},
        "text encoder": text,
    }


def random_state(layout: Layout, kind: str = "audiolcm", seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the full names, as the released code's state_dict gives them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: list[int]) -> Tensor:
        scale = 0.5 if len(shape) < 2 else math.prod(shape[1:]) ** -0.5
        return scale * torch.randn(shape, generator=generator)

    knows_omega = kind == "audiolcm"
    state = {
        prefix + name: draw(shape)
        for prefix in DENOISERS[kind]
        for name, shape in layout["denoiser"].items()
        if knows_omega or "proj_w" not in name
    }
    state |= {f"first_stage_model.{name}": draw(shape) for name, shape in layout["autoencoder"].items()}
    state |= {f"cond_stage_model.{name}": draw(shape) for name, shape in layout["text encoder"].items()}
    words = "cond_stage_model.t5_transformer.shared.weight"
    state["cond_stage_model.t5_transformer.encoder.embed_tokens.weight"] = state[words]
    return state | {"scale_factor": torch.tensor(0.75)}


def save(state: dict[str, Tensor], path: Path) -> Path:
    """Save as PyTorch Lightning does."""
    callback = {"best_model_path": "a/b.ckpt", "best_model_score": None}
    optimizer = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}
    stored = {"epoch": 3, "global_step": 15000, "pytorch-lightning_version": "1.5.0", "loops": None}
    stored |= {"callbacks": {"ModelCheckpoint{'monitor': None}": callback}, "optimizer_states": [optimizer]}
    stored |= {"lr_schedulers": [{"last_epoch": 3, "lr_lambdas": [None]}], "state_dict": state}
    torch.save(stored, path)
    return path


def save_tokenizers(folder: Path, bert_size: int = 40, t5_size: int = 40) -> list[str]:
    """Save word tokenizers and return the options of ``audiolcm convert`` that name them."""
    signs = {"bert": ("[CLS]", "[SEP]", "[UNK]"), "t5": ("<s>", "</s>", "<unk>")}
    for name, size in (("bert", bert_size), ("t5", t5_size)):
        start, end, unknown = signs[name]
        words = ["<pad>", unknown, start, end, *WORDS]
        words += [f"word{i}" for i in range(size - len(words))]
        core = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
        core.pre_tokenizer = Whitespace()
        core.post_processor = TemplateProcessing(
            single=f"{start} $A {end}", special_tokens=[(start, 2), (end, 3)]
        )
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", unk_token=unknown)
        tokenizer.save_pretrained(folder / name)
    return ["--bert", str(folder / "bert"), "--t5", str(folder / "t5")]


def save_bigvgan(folder: Path, **arguments: object) -> Path:
    """Save a small vocoder as published, weight norm in place; ``arguments`` go into args.yml."""
    sizes = {
        "num_mels": 80, "upsample_initial_channel": 64, "upsample_rates": [4, 4, 2, 2, 2, 2],
        "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4], "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3, 5]], "resblock": "1", "activation": "snakebeta", "snake_logscale": True,
        "sampling_rate": 16000, "n_fft": 1024, "win_size": 1024, "hop_size": 256, "fmin": 0, "fmax": 8000,
    }  # fmt: skip
    model = BigVGAN(channels=64, block_kernels=(3,), block_dilations=((1, 3, 5),))
    generator = torch.Generator().manual_seed(0)
    filters = {name: value for name, value in model.state_dict().items() if name.endswith("filter")}
    state = {
        name: filters[name] if name in filters else 0.2 * torch.randn(shape, generator=generator)
        for name, shape in published_layout(model).items()
    }
    folder.mkdir(parents=True)
    torch.save({"generator": state}, folder / "best_netG.pt")
    (folder / "args.yml").write_text(yaml.safe_dump(sizes | arguments))
    return folder
