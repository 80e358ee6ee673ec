import random
import re
from collections import Counter
from pathlib import Path

import pytest

from audiolcm.data.tables import read_table
from audiolcm.errors import UserError
from audiolcm.structure.captions import clean, parse, parse_strictly
from audiolcm.structure.rules import Rules, events

JOINING = {
    "then", "and", "but", "followed", "by", "before", "after", "while", "whilst", "as", "well", "with", "first", "at",
    "finally", "later", "afterward", "afterwards", "that", "which", "just", "right", "shortly", "soon", "immediately",
    "quickly", "closely", "is", "are",
}  # fmt: skip

CASES = {
    "A dog barks": "<a dog barks& all>",
    "BMW engine idling.": "<BMW engine idling& all>",
    # one after the other
    "A dog barks, then rain falls": "<a dog barks& start>@<rain falls& end>",
    "A dog barks and then rain falls": "<a dog barks& start>@<rain falls& end>",
    "First a dog barks, then rain falls": "<a dog barks& start>@<rain falls& end>",
    "Dogs barking followed by rain": "<dogs barking& start>@<rain& end>",
    "Dogs barking, followed closely by rain": "<dogs barking& start>@<rain& end>",
    "A bell rings before a door closes": "<a bell rings& start>@<a door closes& end>",
    "Before a door closes, a bell rings": "<a bell rings& start>@<a door closes& end>",
    "A bell rings after a door closes": "<a door closes& start>@<a bell rings& end>",
    "After a door closes, a bell rings": "<a door closes& start>@<a bell rings& end>",
    "A bell rings, after which a door closes": "<a bell rings& start>@<a door closes& end>",
    "A dog barks, then a cat meows, and finally a bell rings":
        "<a dog barks& start>@<a cat meows& mid>@<a bell rings& end>",
    "A, then B, then C, then D": "<a& start>@<b& mid>@<c& mid>@<d& end>",
    "A bell rings after a door closes, then it rains":
        "<a door closes& start>@<a bell rings& mid>@<it rains& end>",
    # together
    "A man talks while rain falls": "<a man talks& all>@<rain falls& all>",
    "While rain falls, a man talks": "<rain falls& all>@<a man talks& all>",
    "Birds sing as wind blows": "<birds sing& all>@<wind blows& all>",
    "A cat meows and a dog barks": "<a cat meows& all>@<a dog barks& all>",
    "A cat meows, a dog barks, and rain is falling":
        "<a cat meows& all>@<a dog barks& all>@<rain is falling& all>",
    "A man talking with music playing in the background":
        "<a man talking& all>@<music playing in the background& all>",
    "A rocket flies by followed by a loud explosion as an engine idles":
        "<a rocket flies by& start>@<a loud explosion& end>@<an engine idles& end>",
    "After a door closes, a dog barks, then a cat meows":
        "<a door closes& start>@<a dog barks& mid>@<a cat meows& end>",
    # words that look like joining ones
    "A band plays rock and roll": "<a band plays rock and roll& all>",
    "A swing moves back and forth then stops": "<a swing moves back and forth& start>@<stops& end>",
    "A man and a woman talk": "<a man and a woman talk& all>",
    "A man talks and laughs": "<a man talks and laughs& all>",
    "A car accelerates and drives away": "<a car accelerates and drives away& all>",
    "An engine runs for a while": "<an engine runs for a while& all>",
    "Waves come one after another": "<waves come one after another& all>",
    "It sounds as if a door closes": "<it sounds as if a door closes& all>",
    "The bell rings again and again": "<the bell rings again and again& all>",
    "A horn as loud as thunder": "<a horn as loud as thunder& all>",
    "And then": "<and then& all>",
    "After": "<after& all>",
    # the grammar's own signs
    "Drum & bass @ <home>": "<drum and bass at home& all>",
}  # fmt: skip


@pytest.mark.parametrize(("caption", "expected"), CASES.items())
def test_caption_is_parted(caption: str, expected: str) -> None:
    assert Rules()([caption]) == [expected]


@pytest.mark.parametrize("caption", ["", " ", "<>", "...", "-"])
def test_caption_without_a_word_is_refused(caption: str) -> None:
    with pytest.raises(UserError, match="holds no word"):
        events(caption)


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def check(caption: str) -> None:
    found = parse_strictly(Rules()([caption])[0])
    before, after = words(clean(caption)), sum((words(event.event) for event in found), Counter())
    assert not after - before, caption
    assert set(before - after) <= JOINING, caption


def test_any_caption_gives_valid_grammar_and_keeps_its_words() -> None:
    rng = random.Random(0)
    parts = ["a dog", "barks", "rain", "is falling", ",", ";", ".", "&", "<", ">", "@", "\t", "for a while", "back",
             "forth", "in the background", "rock and roll", "a", "X", "é", "\0", "'", *sorted(JOINING)]  # fmt: skip
    for _ in range(5000):
        caption = "".join(
            rng.choice(parts) + rng.choice((" ", " ", " ", "")) for _ in range(rng.randint(1, 12))
        )
        if any(sign.isalnum() for sign in caption):
            check(caption)


@pytest.mark.parametrize("name", ["audiocaps_test", "clotho_evaluation", "musiccaps"])
def test_real_captions_give_valid_grammar_and_keep_their_words(captions: Path, name: str) -> None:
    rows = read_table(captions / f"{name}.tsv", ["ori_cap", "caption"])
    assert len(rows) == 50
    for row in rows:
        check(row["ori_cap"])


@pytest.mark.parametrize("name", ["audiocaps_test", "clotho_evaluation", "musiccaps"])
def test_whole_lists_of_real_captions_do_too(shared_data: Path, name: str) -> None:
    rows = read_table(shared_data / "captions" / f"{name}.tsv", ["ori_cap", "caption"])
    assert len(rows) > 1000
    for row in rows:
        check(row["ori_cap"])


@pytest.mark.parametrize("name", ["audiocaps_test", "clotho_evaluation"])
def test_published_structured_captions_are_read(captions: Path, name: str) -> None:
    for row in read_table(captions / f"{name}.tsv", ["caption"]):
        assert parse(row["caption"])
