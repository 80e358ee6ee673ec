"""Figure 3: FAD against the real-time factor as the steps of several systems are halved."""

from experiments.items.baselines import RELEASED
from experiments.items.columns import FAD, RTF
from experiments.items.item import FigureItem, first_part, steps_in_words
from experiments.judging.claims import Claim, FigurePoint, no_worse
from experiments.judging.sources import Fact, PaperColumn

NAMES = {
    "audiolcm": "AudioLCM",
    "teacher": "Teacher",
    "make_an_audio2": "Make-An-Audio 2",
    "tango": "Tango",
    "audioldm2": "AudioLDM 2",
    "audioldm2_large": "AudioLDM 2-Large",
}


def at(system: str, steps: int) -> FigurePoint:
    """Return the point of a system with a number of steps."""
    return FigurePoint(f"{NAMES[system]} with {steps} step{'s' * (steps > 1)}", {"num_steps": steps}, system)


def teacher(part: float, words: str) -> FigurePoint:
    """Return the teacher with a part of the most steps that it was sampled with."""
    return FigurePoint(f"the teacher with {words}", first="teacher", step=Fact(("num_steps",)), part=part)


ROBUST = "AudioLCM shows minimal degradation until one-step inference."

ITEM = FigureItem(
    stem="fig3_speed",
    paper_item="Figure 3",
    title="FAD against the real-time factor as steps are halved",
    printed="figure3",
    first_column="system",
    line=lambda result: NAMES.get(first_part(result), first_part(result)),
    x=PaperColumn("real-time factor (one sound at a time)", None, RTF.better, RTF.sources),
    y=FAD,
    has_log_x=True,
    point=lambda result: str(result.facts.get("num_steps", "")),
    told=steps_in_words,
    claims=(
        Claim(ROBUST, at("audiolcm", 2), at("audiolcm", 4), FAD, no_worse(0.1)),
        Claim(ROBUST, at("audiolcm", 2), at("audiolcm", 1), FAD),
        Claim(
            "Diffusion models degrade considerably as the number of steps is halved.",
            teacher(1.0, "all its steps"), teacher(0.25, "a quarter of its steps"), FAD,
        ),
        Claim(
            "AudioLCM's sampling is substantially faster than that of diffusion models.",
            at("audiolcm", 2), teacher(1.0, "all its steps"), RTF,
        ),
    ),
    notes=(
        RELEASED,
        "AudioLDM 2's RTF is that of three sounds, of which CLAP chooses one, as its authors run it.",
        "Make-An-Audio 2 evaluates 13 and 7 times in its 12 and 6 steps: the released walk takes one more where steps "
        "do not divide 1000.",
    ),
)  # fmt: skip
