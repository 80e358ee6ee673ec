import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from audiolcm.commands import cli, generate
from audiolcm.data.manifest_tables import read_manifest
from audiolcm.data.tables import read_table, write_table

DOG = "A dog barks, then rain falls"
DOG_STRUCTURED = "<a dog barks& start>@<rain falls& end>"


def test_captions_are_printed(capsys) -> None:
    assert cli.main(["structure", DOG, "Rain"]) == 0
    assert capsys.readouterr().out == f"{DOG}\t{DOG_STRUCTURED}\nRain\t<rain& all>\n"


def test_text_file_becomes_lines_that_generate_reads(tmp_path: Path) -> None:
    source, target = tmp_path / "captions.txt", tmp_path / "out" / "captions.tsv"
    source.write_text(f"{DOG}\n\nWind\t<gale& background>\n...\n", encoding="utf-8")
    assert cli.main(["structure", "--from-file", str(source), "-o", str(target)]) == 0
    assert target.read_text() == f"{DOG}\t{DOG_STRUCTURED}\nWind\t<gale& background>\n...\t\n"
    options = cli._parser().parse_args(["generate", "--from-file", str(target)])
    captions, structured = generate._captions(options)
    assert captions == [DOG, "Wind", "..."]
    assert structured == [DOG_STRUCTURED, "<gale& background>", "<...& all>"]


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".parquet"])
def test_table_gets_a_column_and_keeps_the_rest(tmp_path: Path, suffix: str, capsys) -> None:
    path = tmp_path / f"manifest{suffix}"
    rows = [
        {"name": "a", "audio_path": "a.wav", "caption": DOG},
        {"name": "b", "audio_path": "b.wav", "caption": 'A "loud" bell, and wind'},
    ]
    write_table(path, list(rows[0]), rows)
    target = tmp_path / f"structured{suffix}"
    assert cli.main(["structure", "--from-file", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{DOG}\t{DOG_STRUCTURED}\n")
    assert cli.main(["structure", "--from-file", str(path), "-o", str(target)]) == 0
    done = read_table(target)
    assert [{key: row[key] for key in rows[0]} for row in done] == rows
    assert list(done[0]) == [*rows[0], "structured_caption"]
    if suffix != ".csv":
        assert read_manifest(target)[0].structured_caption == DOG_STRUCTURED


def test_structured_captions_of_a_table_are_kept_even_in_place(tmp_path: Path, caplog) -> None:
    path = tmp_path / "manifest.tsv"
    path.write_text("structured_caption\tcaption\n<mine& all>\tWind\n\tRain\n\t\n")
    with caplog.at_level("INFO"):
        assert cli.main(["structure", "--from-file", str(path), "-o", str(path)]) == 0
    assert path.read_text() == "structured_caption\tcaption\n<mine& all>\tWind\n<rain& all>\tRain\n\t\n"
    assert "1 structured captions were there and are kept" in caplog.text
    assert "1 captions hold no word" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "No caption. Type audiolcm structure"),
        (["--from-file", "no.txt"], "no.txt: there is no such file"),
        (["--from-file", "no.tsv"], "no.tsv not found"),
        (["--from-file", "empty.txt"], "empty.txt holds no caption"),
        (["--from-file", "header.tsv"], "header.tsv holds no row"),
        (["--from-file", "other.tsv"], "no column caption"),
        (["--from-file", "broken.tsv"], "broken.tsv, line 2: The row has 2 fields, the header 1"),
        (["--from-file", "header.tsv", "rain"], "not both"),
        (["--from-file", "header.tsv", "-o", "out.txt"], "a table is written as .tsv"),
        (["rain", "-o", "out.csv"], "written as .txt or .tsv"),
        (["rain", "-o", "."], "is a folder"),
        (["rain", "--model", "x"], "needs both --endpoint URL and --model NAME"),
        (["rain", "--endpoint", "http://localhost/v1"], "needs both --endpoint URL and --model NAME"),
        (["rain", "--endpoint", "localhost", "--model", "x"], "no http or https address"),
    ],
)
def test_mistake_is_one_message(tmp_path: Path, monkeypatch, caplog, arguments: list[str], told: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "empty.txt": "\n", "header.tsv": "caption\n", "other.tsv": "text\nrain\n", "broken.tsv": "caption\na\tb\n"
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    assert cli.main(["structure", *arguments]) == 1
    assert told in caplog.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rain", "--structured", "<rain all>"], "Write <event& tag>@<event& tag>"),
        (
            ["rain", "--structured", "<rain& all>", "--structured", "<rain& all>"],
            "1 captions, but --structured",
        ),
        (["--from-file", "bad.txt"], "bad.txt, line 2: '<b>' is no structured caption"),
        (["--from-file", "bare.txt"], "bare.txt, line 1: there is no caption before the tab"),
    ],
)
def test_generate_refuses_malformed_ones(tmp_path: Path, monkeypatch, caplog, arguments, told: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("a\t<a& background>\nb\t<b>\n")
    (tmp_path / "bare.txt").write_text("\t<a& all>\n")
    assert cli.main(["generate", *arguments]) == 1
    assert told in caplog.text


@pytest.mark.parametrize("command", ["structure", "generate"])
def test_a_caption_that_is_no_text_is_one_message(command: str, tmp_path: Path, caplog) -> None:
    given = ["rain \udcff"] if command == "structure" else ["rain", "--structured", "<rain\x1b[2J& all>"]
    assert cli.main([command, *given, "-o", str(tmp_path / "out")]) == 1
    assert "holds signs that are no text" in caplog.text
    assert not list(tmp_path.iterdir())


def test_generate_takes_one_for_each_caption_and_the_fallback_otherwise() -> None:
    parse = cli._parser().parse_args
    given = parse(["generate", "A", "B", "--structured", "<a& mid-end>", "--structured", "<b& all>"])
    assert generate._captions(given) == (["A", "B"], ["<a& mid-end>", "<b& all>"])
    assert generate._captions(parse(["generate", "A"])) == (["A"], ["<A& all>"])


def test_killed_run_goes_on_where_it_stopped(server, tmp_path: Path) -> None:
    captions = [f"rain {i}" for i in range(12)]
    (tmp_path / "captions.txt").write_text("\n".join(captions))
    target, answers = tmp_path / "out.tsv", tmp_path / "out.tsv.answers.jsonl"
    command = ["structure", "--from-file", str(tmp_path / "captions.txt"), "-o", str(target),
               "--endpoint", server.endpoint, "--model", "tiny"]  # fmt: skip
    hold = threading.Event()
    server.reply = lambda caption: f"<{caption}& all>" if int(caption[5:]) < 6 else str(hold.wait(60))
    process = subprocess.Popen([sys.executable, "-m", "audiolcm.commands.cli", *command], env=os.environ)
    try:
        deadline = time.monotonic() + 60
        while not (answers.exists() and answers.read_text().count("\n") == 6):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        hold.set()
    assert not target.exists()
    server.asked.clear()
    server.reply = lambda caption: f"<{caption}& all>"
    assert cli.main(command) == 0
    assert set(server.asked) == set(captions[6:]), "a question of the killed run may be heard late"
    assert target.read_text() == "".join(f"{caption}\t<{caption}& all>\n" for caption in captions)
