"""JSON and YAML that a stranger wrote: nothing but plain values comes out, in bounded time and memory."""

import json
import os
import resource

import pytest

from audiolcm.storage.plain_data import parse_json, parse_yaml, plain, read_json, read_yaml

ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [*a{level - 1}, *a{level - 1}]}}\n" for level in range(1, 40)
)


def test_plain_values_come_through():
    text = "a: [1, 2.5, true, null, word]\nb: {c: &d [x], e: *d}\n"
    assert parse_yaml(text) == {"a": [1, 2.5, True, None, "word"], "b": {"c": ["x"], "e": ["x"]}}
    assert parse_json(b'\xef\xbb\xbf{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!pairs [b: {_target_: os.system}]", "it has a tuple at a[0]"),
        ("a: !!omap [b: 1]", "it has a tuple at a[0]"),
        ("a: !!set {b, c}", "it has a set at a"),
        ("a: !!binary aGk=", "it has a bytes at a"),
        ("a: 2024-01-02", "it has a date at a"),
        ("1: a", "key that is no word"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!timestamp 1", "it is no YAML"),
        ("a: !!bool x", "it is no YAML"),
        ("? [a]\n: 1", "unhashable"),
        ("a: " + "9" * 100_000, "4300"),
        ("a: &a [*a]", "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        (MERGES, "merge keys"),
        ("a: 1\nb: {c: 1, c: 2}", "the key 'c' comes twice"),
        ("a: [0x" + "f" * 5_000 + "]", "a whole number of more than 64 bits at a[0]"),
    ],
)
def test_everything_else_is_refused_by_name(text: str, said: str):
    with pytest.raises(ValueError, match=said.replace("[", r"\[").replace("(", r"\(")):
        parse_yaml(text)


def test_aliases_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    # That many are slow to count where types are checked
    monkeypatch.setattr("audiolcm.storage.plain_data.MOST", 20_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="values"):
        parse_yaml(ALIASES)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"a":' * 100_000, "[" * 60 + "]" * 60])
def test_deep_json_is_refused(text: str):
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text)


@pytest.mark.parametrize("text", [b"\xff", '"\\ud800"', '{"\\ud800": 1}', "9" * 10_000, "", "{"])
def test_json_that_is_none_or_cannot_be_shown(text: str | bytes):
    with pytest.raises(ValueError, match="."):
        parse_json(text)


def test_only_regular_files_of_a_bounded_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text(json.dumps(["x" * 100]))
    for read in (read_json, read_yaml):
        with pytest.raises(ValueError, match="no regular file"):
            read(tmp_path / "pipe")
        with pytest.raises(ValueError, match="larger than 50 bytes"):
            read(tmp_path / "large", largest=50)
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nothing")


def test_a_subclass_of_a_plain_value_is_rebuilt_or_refused():
    class Sly(dict):
        def items(self):
            return [("_target_", "os.system")]

    assert type(plain(Sly())) is dict
    with pytest.raises(ValueError, match="tuple"):
        plain({"a": (1,)})


def test_a_key_that_comes_twice_among_very_many_is_found_at_once():
    """Comparing each with each would take hours."""
    keys = ",".join(f'"{number}": 1' for number in range(300_000))
    with pytest.raises(ValueError, match="the key '299999' comes twice"):
        parse_json(f'{{{keys}, "299999": 1}}')
