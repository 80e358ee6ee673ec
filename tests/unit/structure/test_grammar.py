import pytest

from audiolcm.data.manifest import fallback_structure
from audiolcm.errors import UserError
from audiolcm.structure.captions import GRAMMAR, Event, clean, parse, parse_strictly, structured

GIVEN = {
    "<dog barking& start>@<rain& end>": (Event("dog barking", "start"), Event("rain", "end")),
    "<hum& mid-end>@<crowd& background>": (Event("hum", "mid-end"), Event("crowd", "background")),
    "<R&B singer& all>": (Event("R&B singer", "all"),),
    "<clapping & cheers& mid>": (Event("clapping & cheers", "mid"),),
    "<silence & start>": (Event("silence", "start"),),
}
MALFORMED = [
    "", "dog", "<dog>", "<dog all>", "<dog&all>", "<dog, all>", "<& all>", "< & all>", "<dog& >", "<dog& all",
    "<dog&  all>", "<dog& all>@", "@<dog& all>", "<dog& all> @ <cat& all>", "<dog& all>.", "<a <b>& all>",
    "<dog& all><cat& all>",
]  # fmt: skip
NOT_STRICT = [
    "<dog& background>",
    "<dog& All>",
    "<R&B& all>",
    "<dog & all>",
    "<dog& start& end>",
    "< dog& all>",
]


@pytest.mark.parametrize(("text", "events"), GIVEN.items())
def test_what_people_write_is_read(text: str, events: tuple[Event, ...]) -> None:
    assert parse(text) == events


@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("reader", [parse, parse_strictly])
def test_another_shape_is_refused_with_the_grammar(text: str, reader) -> None:
    with pytest.raises(UserError) as refused:
        reader(text)
    assert GRAMMAR in str(refused.value)


@pytest.mark.parametrize("text", NOT_STRICT)
def test_strict_grammar_has_four_tags_and_no_sign_inside(text: str) -> None:
    with pytest.raises(UserError):
        parse_strictly(text)


def test_written_events_are_read_again() -> None:
    events = (Event("a dog barks", "start"), Event("rain", "mid"), Event("wind", "end"))
    assert parse_strictly(structured(events)) == events


def test_fallback_of_a_clean_caption_keeps_the_grammar() -> None:
    caption = clean(" R&B @ home\t<loud>\n")
    assert caption == "R and B at home loud"
    assert parse_strictly(fallback_structure(caption)) == (Event(caption, "all"),)
