"""Figure 2b: FAD against the guidance scale for 1, 2, 4 and 8 steps of the sampler."""

from experiments.items.item import FAD, NEITHER, Column, FigureItem, everywhere, steps_in_words
from experiments.judging.claims import Better, Claim, Close, Point
from experiments.judging.sources import Fact

MARGIN = 0.1
PEAK = "Quality peaks at a certain value: from 1 to 5 it gets better, up to 9 gradually worse."
STEPS = "The disparities among 2, 4 and 8 steps are minimal."


def at(scale: int, steps: int) -> Point:
    """Return the point of a guidance scale, which is omega + 1, and a number of steps."""
    return Point(
        f"scale {scale} with {steps} step{'s' * (steps > 1)}", {"omega": scale - 1.0, "num_steps": steps}
    )


def claim(sentence: str, first: Point, second: Point, test: Better | Close) -> Claim:
    """Return a claim about FAD."""
    return Claim(sentence, first, second, FAD.title, FAD.better, FAD.sources, test)


ITEM = FigureItem(
    stem="fig2b_guidance",
    paper_item="Figure 2b",
    title="FAD against the guidance scale",
    printed="figure2b",
    line_title="steps",
    line=steps_in_words,
    x=Column("guidance scale (omega + 1)", None, NEITHER, everywhere(Fact(("omega",), plus=1.0))),
    y=FAD,
    claims=(
        claim(PEAK, at(5, 2), at(1, 2), Better()),
        claim(PEAK, at(5, 2), at(9, 2), Better()),
        claim(STEPS, at(5, 2), at(5, 4), Close(MARGIN)),
        claim(STEPS, at(5, 4), at(5, 8), Close(MARGIN)),
        claim(
            "A significant performance gap is evident in one-step inference.", at(5, 2), at(5, 1), Better()
        ),
    ),
)
