"""How often the rules of ``audiolcm structure`` choose the tags that the published structured captions have.

Usage:
    python benchmarks/structure.py /path/to/audiocaps_test.tsv /path/to/clotho_evaluation.tsv

The tables are those published with AudioLCM: ``ori_cap`` is the caption, ``caption`` the structured one, written by a
language model. Counted are captions with the same tags, each as often; the words of the events are not compared.
Rows whose published structured caption is malformed are left out.
"""

import sys
from collections import Counter

from audiolcm.data.manifest import fallback_structure
from audiolcm.data.tables import read_table
from audiolcm.errors import UserError
from audiolcm.structure.captions import clean, parse
from audiolcm.structure.rules import Rules


def tags(structured: str) -> Counter[str]:
    """Return the tags of a structured caption, each with its count."""
    return Counter(event.tag for event in parse(structured))


def agreement(table: str) -> str:
    """Return one line: how many captions of the table get the published tags by the rules, and by the fallback."""
    captions, published, malformed = [], [], 0
    for row in read_table(table, ["ori_cap", "caption"]):
        try:
            published.append(tags(row["caption"]))
            captions.append(clean(row["ori_cap"]))
        except UserError:
            malformed += 1
    shares = []
    for found in (Rules()(captions), map(fallback_structure, captions)):
        same = sum(tags(one) == other for one, other in zip(found, published, strict=True))
        shares.append(f"{same / len(captions):.1%}")
    return f"{table}: {len(captions)} captions ({malformed} malformed): rules {shares[0]}, fallback {shares[1]}\n"


if __name__ == "__main__":
    sys.stdout.writelines(agreement(table) for table in sys.argv[1:])
