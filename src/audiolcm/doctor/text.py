"""The report of ``audiolcm doctor`` for people."""

from collections.abc import Iterator, Mapping
from typing import Any

_WIDTH = 13
_UNKNOWN = "not known, see below"


def as_text(report: Mapping[str, Any]) -> str:
    """Return the report as lines: what was found, notes, and at the end what is wrong."""
    lines = [f"{name:<{_WIDTH}}{value}" for name, value in _lines(report)]
    lines += ["", *_table(report["packages"])]
    for title, told in (("Notes", report["notes"]), ("Wrong", report["problems"])):
        lines += ["", f"{title}:", *(f"- {sentence}" for sentence in told)] if told else []
    lines += [] if report["problems"] else ["", "Nothing is wrong."]
    return "\n".join(lines) + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    python, checkout = report["python"], report["checkout"]
    yield "Python", f"{python['version']} ({python['executable']}) on {python['platform']}"
    yield "Checkout", checkout["folder"] or "none"
    if checkout["folder"]:
        yield "Own settings", checkout["local"] or "no conf/local.yaml"
    yield from _hardware(report["hardware"])
    formats = report["formats"]
    yield (
        "Sound files",
        f"{', '.join(formats['names'])} (libsndfile {formats['library']})" if formats else _UNKNOWN,
    )
    yield from _places(report)
    slurm = report["slurm"]
    yield (
        "Slurm",
        f"sbatch is here, cluster {slurm['cluster'] or 'does not answer'}" if slurm["sbatch"] else "none",
    )
    if report["variables"]:
        yield "Environment", " ".join(f"{name}={value}" for name, value in report["variables"].items())


def _hardware(facts: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if facts is None:
        yield "Device", _UNKNOWN
        return
    yield "Device", f"{facts['device']}: {facts['device_because']} ({facts['described']})"
    yield "Precision", f"{facts['precision']}: {facts['precision_because']}"
    yield "Threads", f"{facts['threads']} of {facts['cores']} cores"
    yield "CPU", f"AMX {_yes(facts['amx'])}, AVX512-BF16 {_yes(facts['avx512_bf16'])}"
    cuda = ", ".join(facts["cuda"]) or "none"
    yield (
        "GPU",
        f"CUDA {cuda} (torch is for CUDA {facts['cuda_of_torch'] or 'none'}), MPS {_yes(facts['mps'])}",
    )


def _places(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    weights, data, wandb = report["weights"], report["data"], report["wandb"]
    if weights is None:
        yield "Weights", _UNKNOWN
    else:
        found = ", ".join(weights["found"]) or "none"
        yield (
            "Weights",
            f"{weights['folder']}: {found} (of {len(weights['found']) + len(weights['absent'])} known files)",
        )
    if data is None or wandb is None:
        yield "Data", _UNKNOWN
    else:
        root = (data["root"] or "dataset.root is not given") if data["has_root"] else "makes its own sounds"
        yield (
            "Data",
            f"{data['dataset']}: {root}; {data['corpora']}: {', '.join(data['of_corpora']) or 'no corpora'}",
        )
        yield "W&B", f"{wandb['mode']}, {'a key is here' if wandb['has_key'] else 'no key'}"
    for folder in report["folders"]:
        state = "" if folder["writable"] else ", cannot be written"
        yield folder["name"].capitalize(), f"{folder['path']}: {folder['free_gb']:.0f} GB free{state}"


def _table(rows: list[Mapping[str, Any]]) -> list[str]:
    cells = [("package", "installed", "locked", "")]
    cells += [(r["package"], r["installed"] or "-", r["locked"] or "-", r["state"]) for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
