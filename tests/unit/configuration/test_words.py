"""Words of the command line: paths of any signs reach the program as they are, or one message says how to type them."""

import shlex
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from audiolcm.configuration.words import in_shell, readable

SIGNS = [
    "My Sounds (2024)", "epoch=3-step=100", "a,b", "c#1", "[x]", "Ünï", "it's", " before", "behind ", "x{y}", "{z}",
    'a"b', "b\\s", "b\\", "a:b", "a;b", "a&b", "a!b", "a*b", "~t", "100%", "a@b", "a|b", "<x>", "`x`", "日本", "a\tb",
    "x,'y", "range(1,2)",
]  # fmt: skip


def value_of(word: str) -> object:
    return OverridesParser.create().parse_override(word).value()


@pytest.mark.parametrize("name", SIGNS)
def test_a_folder_of_any_name_is_read_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    for place in (name, f"./{name}", str(tmp_path / name)):
        (word,) = readable([f"dataset.root={place}"])
        assert value_of(word) == place


@pytest.mark.parametrize("name", ["My Runs (2)", "a=b", "Läufe", "it's", "c#1", "a)b"])
def test_a_folder_that_is_still_to_be_made_is_read_as_it_is(name: str) -> None:
    (word,) = readable([f"paths.runs=/nowhere/{name}"])
    assert value_of(word) == f"/nowhere/{name}"


@pytest.mark.parametrize(
    "word",
    ["solver.k=1,5", "seeds=[0,1]", "model={width: 8}", "solver.k=range(1,5)", "dataset.root=/plain/place-1.0", "-m",
     "--config-dir=a b", "dataset.root='quoted (1)'", "+plan=1", "~vocoder", "text", "solver.k=rnage(1,5)"],
)  # fmt: skip
def test_what_hydra_reads_stays_as_it_is(word: str) -> None:
    assert readable([word]) == [word]


def test_a_sweep_over_folders_stays_a_sweep(tmp_path: Path) -> None:
    places = [tmp_path / "a (1)", tmp_path / "b"]
    for place in places:
        place.mkdir()
    (word,) = readable([f"checkpoint={places[0]},{places[1]}"])
    override = OverridesParser.create().parse_override(word)
    assert override.is_sweep_override()
    assert [value.strip("'") for value in override.sweep_string_iterator()] == [
        str(place) for place in places
    ]


@pytest.mark.parametrize("name", SIGNS)
def test_the_quoted_line_can_be_pasted_into_a_shell(name: str) -> None:
    word = f"dataset.root={name}"
    said = subprocess.run(
        ["sh", "-c", f"printf %s {in_shell(word)}"], capture_output=True, text=True, check=True
    )
    assert said.stdout == word
    assert shlex.split(in_shell(word)) == [word]
