"""Figure 2b: FAD against the guidance scale for 1, 2, 4 and 8 steps of the sampler."""

from experiments.items.baselines import RELEASED
from experiments.items.columns import FAD, NEITHER, everywhere
from experiments.items.item import FigureItem, steps_in_words
from experiments.judging.claims import Claim, FigurePoint, close
from experiments.judging.sources import Fact, PaperColumn

MARGIN = 0.1
PEAK = "Quality peaks at a certain value: from 1 to 5 it gets better, up to 9 gradually worse."
STEPS = "The disparities among 2, 4 and 8 steps are minimal."


def at(scale: int, steps: int) -> FigurePoint:
    """Return the point of a guidance scale, which is omega + 1, and a number of steps."""
    return FigurePoint(
        f"scale {scale} with {steps} step{'s' * (steps > 1)}", {"omega": scale - 1.0, "num_steps": steps}
    )


ITEM = FigureItem(
    stem="fig2b_guidance",
    paper_item="Figure 2b",
    title="FAD against the guidance scale",
    printed="figure2b",
    first_column="steps",
    line=steps_in_words,
    x=PaperColumn("guidance scale (omega + 1)", None, NEITHER, everywhere(Fact(("omega",), plus=1.0))),
    y=FAD,
    claims=(
        Claim(PEAK, at(5, 2), at(1, 2), FAD),
        Claim(PEAK, at(5, 2), at(9, 2), FAD),
        Claim(STEPS, at(5, 2), at(5, 4), FAD, close(MARGIN)),
        Claim(STEPS, at(5, 4), at(5, 8), FAD, close(MARGIN)),
        Claim("A significant performance gap is evident in one-step inference.", at(5, 2), at(5, 1), FAD),
    ),
    notes=(RELEASED,),
)
