from pathlib import Path

import pytest

from audiolcm.data.manifest import Clip
from evaluation.protocol import ProtocolItem
from evaluation.record import RecordRow, Score
from evaluation.sanity import halves, shuffled, verdicts
from evaluation.sound import SoundReader
from evaluation.trial import Trial


def trial(captions):
    made = [
        ProtocolItem(f"c{i}__0", Clip(f"c{i}", None, caption, "", 1.0, "test", ()), Path(f"r{i}.wav"))
        for i, caption in enumerate(captions)
    ]
    sounds = tuple(Path(f"s{i}.wav") for i in range(len(made)))
    references = tuple(item.reference for item in made)
    return Trial(tuple(made), (sounds,), references, SoundReader())


@pytest.mark.parametrize("captions", [list("abcdefg"), list("aaabbbccc"), list("ababab")])
def test_shuffling_gives_every_sound_another_caption(captions):
    before = trial(captions)
    after = shuffled(before, seed=0)
    assert after.sounds == before.sounds
    pairs = zip(before.items, after.items, strict=True)
    assert all(own.clip.caption != given.clip.caption for own, given in pairs)
    assert sorted(item.name for item in after.items) == sorted(item.name for item in before.items)


def test_halves_part_the_references_and_hear_both_alike():
    whole = trial(list("abcdefg"))
    parted = halves(whole, seed=0)
    first, rest = set(parted.sounds[0]), set(parted.references)
    assert (len(first), len(rest)) == (3, 4)
    assert first | rest == set(whole.references) and not first & rest
    assert [item.reference for item in parted.items] == list(parted.sounds[0])
    assert halves(whole, seed=1).references != parted.references


def scores(fad, clap, interval=None):
    return (
        Score("fad", "FAD (x)", fad, "lower", interval=interval),
        Score("clap", "CLAP (x)", clap, "higher"),
    )


def test_verdicts_name_what_is_not_better_than_a_sanity_row():
    row = RecordRow("audiolcm", {}, scores(5.0, 0.2))
    silence, shuffle = (
        RecordRow("silence", {}, scores(9.0, 0.1)),
        RecordRow("shuffled_captions", {}, scores(9.0, 0.25)[1:]),
    )
    assert verdicts(row, [silence, shuffle]) == (
        "Against silence: every figure is better.",
        "Against shuffled captions: no better in CLAP (x) (0.2; 0.25).",
    )
    assert verdicts(row, []) == ()


def test_an_interval_that_reaches_a_sanity_row_is_told_and_bounds_are_no_rivals():
    row = RecordRow("audiolcm", {}, scores(5.0, 0.1, interval=(4.0, 9.5)))
    [sentence] = verdicts(row, [RecordRow("silence", {}, scores(9.0, 0.1))])
    expected = "no better in CLAP (x) (0.1; 0.1); better, but within the 95% interval, in FAD (x) (5; 9)"
    assert sentence == f"Against silence: {expected}."
    assert verdicts(row, [RecordRow("reconstruction", {}, scores(1.0, 0.9))]) == ()


def test_a_row_without_a_shared_figure_gets_no_verdict():
    row = RecordRow("audiolcm", {}, scores(5.0, 0.2)[:1])
    assert verdicts(row, [RecordRow("shuffled_captions", {}, scores(9.0, 0.1)[1:])]) == ()
