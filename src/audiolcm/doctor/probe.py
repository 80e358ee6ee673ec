"""What only the packages themselves can tell, asked in a process of its own: one of them may crash it.

``python -m audiolcm.doctor.probe FILE MODULES [OVERRIDES ...]`` imports the modules (separated by commas) and writes
JSON objects into the file, one a line, each as soon as it is known: ``{"importing": MODULE}``, then nothing or
``{"failed": MODULE, "why": ...}``; at the end, for each fact, ``{"asking": NAME}``, then
``{"fact": NAME, "value": ...}`` or ``{"fact": NAME, "why": ...}``.
"""

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from audiolcm.environment.failures import explain, explain_module

_REGISTRIES = ("audiolcm.published.sources:PUBLISHED", "evaluation.features.weights:REGISTRY")
"""Tables of ``WeightsFile``, by name as in a configuration: nothing here imports evaluation, which may be absent."""
Say = Callable[[dict[str, Any]], None]


def main(arguments: list[str]) -> None:
    """Import, ask and write; see the module."""
    place, modules, *overrides = arguments
    with Path(place).open("a", encoding="utf-8") as file:

        def say(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        for module in modules.split(","):
            say({"importing": module})
            try:
                importlib.import_module(module)
            except Exception as error:  # noqa: BLE001 (whatever a broken package raises is what is asked for)
                say({"failed": module, "why": explain_module(module, error)})
        cfg = _tell(say, "configuration", lambda: _configuration(overrides)) or {}
        _tell(say, "hardware", lambda: _hardware(cfg.get("hardware", {})))
        _tell(say, "formats", _formats)
        _tell(say, "weights", _weights)


def _tell(say: Say, fact: str, ask: Callable[[], Any]) -> Any:
    say({"asking": fact})
    try:
        value = ask()
    except Exception as error:  # noqa: BLE001 (as above)
        say({"fact": fact, "why": explain(error) or str(error) or type(error).__name__})
        return None
    say({"fact": fact, "value": value})
    return value


def _configuration(overrides: list[str]) -> dict[str, Any]:
    """Return the sections that say where things are and what runs them."""
    from audiolcm.configuration.schema import compose

    cfg = compose(overrides)
    return {name: cfg[name] for name in ("paths", "logger", "hardware", "dataset")}


def _hardware(settings: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    from audiolcm.distributed.hardware import Hardware

    hardware = Hardware(**{name: value for name, value in settings.items() if not name.startswith("_")})
    device = hardware.torch_device()
    facts = {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "amx": torch.cpu._is_amx_tile_supported(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "cuda_of_torch": torch.version.cuda,
        "mps": torch.backends.mps.is_available(),
    }
    chosen = {
        "described": hardware.describe(),
        "device": str(device),
        "device_because": _device_reason(hardware.device, device.type),
        "precision": hardware.computes_in(),
    }
    because = {"precision_because": precision_reason(hardware.precision, device.type, chosen, facts)}
    return chosen | because | facts


def _device_reason(asked: str, kind: str) -> str:
    if asked != "auto":
        return f"hardware.device={asked} asks for it"
    seen = {"cuda": "a CUDA device", "mps": "an Apple GPU"}
    return f"torch sees {seen.get(kind, 'no CUDA device')}"


def precision_reason(asked: str, kind: str, chosen: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return why ``hardware.precision`` came out as it did; the choice itself is ``training.hardware``'s."""
    if asked != "auto":
        return f"hardware.precision={asked} asks for it"
    in_bfloat16 = chosen["precision"] == "bfloat16"
    if kind != "cpu":
        return "this device computes it natively" if in_bfloat16 else "this device has no native bfloat16"
    has = "AMX" if facts["amx"] else "AVX512-BF16" if facts["avx512_bf16"] else "neither AMX nor AVX512-BF16"
    return f"measured, its products are {'faster' if in_bfloat16 else 'not much faster'} in bfloat16 (it has {has})"


def _formats() -> dict[str, Any]:
    import soundfile

    return {"library": soundfile.__libsndfile_version__, "names": sorted(soundfile.available_formats())}


def _weights() -> dict[str, Any]:
    from audiolcm.weights.place import weights_folder

    folder = weights_folder()
    found, absent = [], []
    for registry in _REGISTRIES:
        for file in pkgutil.resolve_name(registry).values():
            (found if (folder / file.filename).is_file() else absent).append(file.name)
    return {"folder": str(folder), "found": found, "absent": absent}


if __name__ == "__main__":
    main(sys.argv[1:])
