"""Columns that several tables and figures have, and what is claimed by them."""

from audiolcm.sweeps.row_sweeper import SCALES
from experiments.judging.claims import BETTER, Claim, Comparison, Side
from experiments.judging.sources import Fact, FirstScore, PaperColumn, ReadingSource, Speed

LOWER, HIGHER, NEITHER = "lower", "higher", ""


def everywhere(source: ReadingSource) -> dict[str, ReadingSource]:
    """Return the same source at both scales."""
    return dict.fromkeys(SCALES, source)


def scored(
    metric: str, paper: str, small: tuple[str, ...] = ("yamnet", "embedded")
) -> dict[str, ReadingSource]:
    """Return the scores of a metric: ``paper`` at the paper's scale, at the others those of the first of ``small``."""
    first = FirstScore(tuple(f"{metric}_{network}" for network in small))
    return everywhere(first) | {"paper": FirstScore((paper,))}


NFE = PaperColumn("NFE", "nfe", LOWER, everywhere(Fact(("nfe",))))
FAD = PaperColumn("FAD", "fad", LOWER, scored("fad", "fad_vggish"))
KL = PaperColumn("KL", "kl", LOWER, scored("kl", "kl_panns"))
RTF = PaperColumn("RTF", "rtf", LOWER, everywhere(Speed()))
RTF_WARM = PaperColumn("RTF warm", None, LOWER, everywhere(Speed(is_warm=True)))


def by_fad_and_kl(
    sentence: str, first: Side, second: Side, comparison: Comparison = BETTER
) -> tuple[Claim, Claim]:
    """Return a claim of quality by FAD, and by KL, which the paper's tables print beside it."""
    return Claim(sentence, first, second, FAD, comparison), Claim(sentence, first, second, KL, comparison)
