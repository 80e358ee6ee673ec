"""The README and the license of an exported model: what its cards know, in words."""

from collections.abc import Mapping
from typing import Any

from audiolcm.configuration.schema import read_yaml
from audiolcm.weights.artifacts import Artifact

_HEADER = """---
license: other
license_name: see-license-file
license_link: LICENSE
library_name: audiolcm
pipeline_tag: text-to-audio
---
"""


def model_card(model: Artifact, parts: Mapping[str, Artifact], name: str, half: bool) -> str:
    """Return ``README.md``: how to make a sound, the parts, the figures of their training, the licenses.

    ``half`` is whether the weights are in float16.
    """
    cfg = read_yaml(model.config_file())
    sampler = cfg["teacher_sampler" if model.card["stage"] == "teacher" else "sampler"]
    members = [model, *parts.values()]
    return f"""{_HEADER}
# {name}

Text to audio: the {model.card["stage"]} {model.card["name"]} with all its parts, for
audiolcm ({model.card.get("code", "version unknown")}). 16 kHz, mono, 1 to 30 seconds.
Weights are in {"half precision (float16), read as float32" if half else "float32"}.

```python
from audiolcm import AudioLCM

model = AudioLCM.from_pretrained("{name}")  # this folder, or its name on the Hub
model("A dog is barking", steps={sampler["num_steps"]}, omega={sampler["omega"]:g}, seed=0).save("dog.wav")
```

or `audiolcm generate "A dog is barking" --checkpoint {name} -o dog.wav`.

## Parts

| part | name | parameters | trained in | on |
|---|---|---|---|---|
{chr(10).join(_row(part) for part in members)}

## Figures

The last of each part's training; losses, not quality: `python evaluate.py checkpoint={name}` measures that.

{chr(10).join(_figures(part) for part in members if part.card.get("figures")) or "None are recorded."}

## Licenses

{_licenses(model, parts)}
"""


def license_text(model: Artifact, parts: Mapping[str, Artifact]) -> str:
    """Return ``LICENSE``: what is known of the terms of the weights, none of which this program can grant."""
    return f"""Terms of the weights in this folder, as far as they are known

{_licenses(model, parts)}

Who publishes this folder may state further terms here.
"""


def _row(part: Artifact) -> str:
    card = part.card
    seconds = f"{card['training_seconds']} s" if "training_seconds" in card else "-"
    millions = f"{card['num_parameters'] / 1e6:.2f} M" if "num_parameters" in card else "-"
    return f"| {card['stage']} | {card['name']} | {millions} | {seconds} | {card.get('hardware', '-')} |"


def _figures(part: Artifact) -> str:
    figures = [f"{name} {value:.6g}" for name, value in part.card["figures"].items() if _is_number(value)]
    return f"- {part.card['stage']}: {', '.join(figures)}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _licenses(model: Artifact, parts: Mapping[str, Artifact]) -> str:
    origins: dict[str, dict[str, Any]] = {}
    trained: list[str] = []
    for part in [model, *parts.values()]:
        named = [part.card["origin"]] if "origin" in part.card else part.card.get("derived_from", [])
        origins |= {str(origin.get("name", origin.get("file"))): origin for origin in named}
        if "training_seconds" in part.card:
            corpus = read_yaml(part.config_file())["dataset"]["_target_"].rpartition(".")[2]
            trained.append(f"{part.card['stage']} on {corpus}")
    lines = [
        f"- From {name}, {origin.get('url', 'of unknown address')}: {origin.get('license', 'license unknown')}."
        for name, origin in origins.items()
    ]
    if trained:
        lines.append(
            f"- Trained with audiolcm: {', '.join(trained)}. The cards record no license of that data; FoleyCorpus is "
            "synthesized by audiolcm itself, from no recordings."
        )
    return "\n".join([*lines, "- The code that reads the weights, audiolcm: MIT."])
