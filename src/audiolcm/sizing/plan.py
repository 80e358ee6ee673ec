"""The table of ``python train.py +plan=true``: memory of every model size, and the smallest GPU that it fits."""

from collections.abc import Iterator, Mapping
from typing import Any

from tqdm import tqdm

from audiolcm.configuration.build import build
from audiolcm.configuration.schema import compose
from audiolcm.distributed import processes
from audiolcm.errors import UserError
from audiolcm.sizing.memory import StepMemory, in_one_process, simulate
from audiolcm.training.settings import StageSettings

SIZED = ("teacher", "student")
"""Stages whose memory the size of the model decides."""
SIZES = ("tiny", "base", "medium", "large", "xl")
GPUS = (16, 24, 40, 48, 80, 141)
"""GB of usual cards: T4 or V100, RTX 3090 or 4090, A100, L40S or A6000, A100 or H100, H200."""
RESERVE = 1.5e9
"""Bytes for what no tensor shows: the CUDA context, workspaces of matrix products, gaps between allocations."""
GB = 1e9
HEADER = (
    "size", "stage", "parameters", "examples", "weights", "gradients", "optimizer", "activations", "total", "GPU",
)  # fmt: skip


def plan_table(cfg: Mapping[str, Any]) -> str:
    """Return the plan as a table in Markdown, for the configuration with each model size in turn.

    ``cfg["plan"]`` is true, for as many processes as run now, or the number of processes to plan for.
    """
    count = processes.count() if cfg["plan"] is True else cfg["plan"]
    if type(count) is not int or count < 1:
        raise UserError(f"plan={cfg['plan']!r}: type +plan=true, or +plan=8 to plan for 8 processes.")
    engine = cfg["parallel"]["engine"] if count > 1 else "ddp"
    bfloat16 = cfg["hardware"]["precision"] != "float32"
    rows = list(_rows(cfg, count, engine, bfloat16))
    given = "parents.text_encoder is not counted; its text has another width. " * bool(
        cfg["parents"].get("text_encoder")
    )
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADER, ["---"] * len(HEADER), *rows)]
    among = {"ddp": "each holds everything", "fsdp": "the weights are shared out"}[engine]
    return (
        f"Memory of one of {count} process{'es' * (count > 1)}"
        + (f" ({engine}: {among})" if count > 1 else "")
        + f", {'bfloat16 autocast' if bfloat16 else 'float32'}, in GB (10^9 bytes). In brackets: with "
        "parallel.recompute=true.\n\n"
        + "\n".join(lines)
        + "\n\nexamples: how many go through a process at once, trainer.<stage>.batch_size over processes and "
        "trainer.<stage>.accumulate. weights: all copies (trained and average, of autoencoder and vocoder their "
        "discriminators too; student, target and teacher). "
        f"{given}GPU: the smallest usual one, with {RESERVE / GB:g} GB kept free; - is none. "
        "+plan=8 plans for 8 processes."
    )


def _rows(cfg: Mapping[str, Any], count: int, engine: str, bfloat16: bool) -> Iterator[list[str]]:
    """Yield a row for each stage that is trained, teacher and student in every size."""
    trains_vocoder = cfg["vocoder"]["objective"] is not None and cfg["parents"]["vocoder"] is None
    is_given = cfg["parents"]["autoencoder"] or cfg["parents"]["teacher"] or cfg["teacher"]["initial"]
    whole = (
        *([] if is_given else ["autoencoder"]),
        *(["vocoder"] if trains_vocoder else []),
    )  # which no process shares
    planned = [*(("any", cfg, stage) for stage in whole)]
    planned += [(name, sized, stage) for name, sized in sizes(cfg) for stage in SIZED]
    settings = {
        stage: build(cfg["trainer"][stage], f"trainer.{stage}", StageSettings) for stage in (*whole, *SIZED)
    }
    for name, sized, stage in tqdm(planned, "plan", leave=False):
        examples = settings[stage].micro_batch_size(count, stage)
        shared = engine if stage in SIZED else "ddp"
        kept, again = (
            in_one_process(simulate(sized, stage, examples, recompute, bfloat16), count, shared, bfloat16)
            for recompute in (False, True)
        )
        yield [
            name, stage, f"{kept.parameters / 1e6:.1f} M", str(examples), _gb(kept.weights), _gb(kept.gradients),
            _gb(kept.optimizer), f"{_gb(kept.activations)} ({_gb(again.activations)})",
            f"{_gb(kept.total)} ({_gb(again.total)})", f"{smallest_gpu(kept)} ({smallest_gpu(again)})",
        ]  # fmt: skip


def sizes(cfg: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name, configuration) of each model size by its width, and of the configured one where it is another."""
    named = {name: compose([f"model={name}"])["model"] for name in SIZES}
    if cfg["model"] not in named.values():
        named["this one"] = cfg["model"]
    for name, model in sorted(named.items(), key=lambda item: item[1]["width"]):
        backbone = {part: dict(factory) for part, factory in cfg["backbone"].items()}
        if "kernel_size" in backbone["feed_forward"]:
            backbone["feed_forward"]["kernel_size"] = model["kernel_size"]
        yield name, dict(cfg) | {"model": model, "backbone": backbone}


def smallest_gpu(memory: StepMemory) -> str:
    """Return the size in GB of the smallest usual GPU that holds this, or ``-``."""
    fitting = (size for size in GPUS if memory.total + RESERVE <= size * GB)
    return str(next(fitting, "-"))


def _gb(size: int) -> str:
    return f"{size / GB:.2f}"
