import json
import logging
import socket
import time

import pytest

from audiolcm.errors import UserError
from audiolcm.structure.captions import parse_strictly
from audiolcm.structure.chat import Chat
from audiolcm.structure.language_model import OpenAICompatible, Structurer
from audiolcm.structure.rules import Rules

KEY = "sk-never-to-be-seen"


def model(server, key=None, answers=None, **settings) -> OpenAICompatible:
    return OpenAICompatible(Chat(server.endpoint, key, **{"first_wait": 0.01, **settings}), "tiny", answers)


def test_both_are_structurers() -> None:
    assert isinstance(Rules(), Structurer)
    assert issubclass(OpenAICompatible, Structurer)


def test_good_answers_come_in_order_with_small_tags(server) -> None:
    def slow_at_first(caption: str) -> str:
        time.sleep(0.1 if caption == "rain 0" else 0)
        return f" <{caption}& START>@<End& End>\n"

    server.reply = slow_at_first
    captions = [f"rain {i}" for i in range(9)] + ["rain 0"]
    assert model(server)(captions) == [f"<{caption}& start>@<End& end>" for caption in captions]
    assert sorted(server.asked) == sorted(set(captions))


def test_question_holds_three_valid_examples_and_no_chance(server) -> None:
    model(server)(["wind & <rain>"])
    (question,) = server.questions
    assert (question["path"], question["model"], question["temperature"]) == (
        "/v1/chat/completions",
        "tiny",
        0,
    )
    roles = [message["role"] for message in question["messages"]]
    assert roles == ["system", *["user", "assistant"] * 3, "user"]
    for message in question["messages"][2:-1:2]:
        parse_strictly(message["content"])
    assert question["messages"][-1]["content"] == "wind and rain"


@pytest.mark.parametrize(
    "answer", ["Sure! <rain& all>", "<rain, all>", "<rain& background>", "", "<a& b& all>"]
)
def test_bad_grammar_becomes_the_whole_caption_and_is_told(server, caplog, answer: str) -> None:
    server.reply = lambda caption: answer if caption.startswith("A") else "<rain& all>"
    assert model(server)(["A & B", "rain"]) == ["<A and B& all>", "<rain& all>"]
    assert "1 of 2 answers of tiny were no structured caption" in caplog.text


def test_refusal_without_content_is_no_structured_caption(server) -> None:
    server.reply = lambda caption: (200, json.dumps({"choices": [{"message": {"content": None}}]}))
    assert model(server)(["rain"]) == ["<rain& all>"]


@pytest.mark.parametrize(("key", "told"), [(None, "OPENAI_API_KEY is not set"), (KEY, "is not accepted")])
def test_wrong_key_is_one_message_without_the_key(server, caplog, monkeypatch, key, told: str) -> None:
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    server.reply = lambda caption: (401, f"wrong key {KEY}")
    asked = OpenAICompatible.from_environment(server.endpoint, "tiny")
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError, match=told) as refused:
        asked([f"rain {i}" for i in range(100)])
    assert set(server.keys) == {key and f"Bearer {key}"}
    assert len(server.asked) < 100, "it goes on asking with a key that is not accepted"
    assert KEY not in caplog.text + str(refused.value) + repr(Chat(server.endpoint, KEY))


@pytest.mark.parametrize("answer", [(400, "", f"Bearer {KEY}"), (503, "", KEY), (200, f"{' ' * 9}{KEY}")])
def test_a_key_that_a_server_sends_back_is_not_told(server, answer: tuple[object, ...], caplog) -> None:
    server.reply = lambda caption: answer
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError) as refused:
        model(server, KEY, attempts=2)(["rain"])
    assert KEY not in caplog.text + str(refused.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["{}", "http://[::1", "ftp://127.0.0.1:1/", "file:///etc/passwd"])
def test_nobody_is_asked_but_the_server_that_was_named(server, status: int, place: str) -> None:
    server.headers = {"Location": place.format(server.endpoint)}
    server.reply = lambda caption: (status, "")
    with pytest.raises(UserError, match=f"answered {status} .*check the address"):
        model(server, attempts=2)(["rain"])
    assert len(server.asked) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(server) -> None:
    server.missing = 5
    with pytest.raises(UserError, match=r"2 tries .*5 more expected"):
        model(server, attempts=2)(["rain"])


def test_a_server_s_reason_is_not_told_at_length(server) -> None:
    server.reply = lambda caption: (400, "", "x" * 50_000)
    with pytest.raises(UserError) as refused:
        model(server)(["rain"])
    assert len(str(refused.value)) < 500


def test_key_of_many_lines_is_refused_unseen() -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY") as refused:
        Chat("http://127.0.0.1/v1", f"{KEY}\nX")
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_server_is_asked_again(server, status: int) -> None:
    server.reply = lambda caption: "<rain& all>" if len(server.asked) > 2 else (status, "busy")
    assert model(server)(["rain"]) == ["<rain& all>"]
    assert len(server.asked) == 3


def test_server_that_stays_busy_ends_in_a_message(server) -> None:
    server.reply = lambda caption: (429, "busy")
    with pytest.raises(UserError, match="did not answer in 3 tries.*same command"):
        model(server, attempts=3)(["rain"])
    assert len(server.asked) == 3


def test_wait_that_the_server_names_is_kept(server) -> None:
    server.headers = {"Retry-After": "1"}
    server.reply = lambda caption: "<rain& all>" if len(server.asked) > 1 else (429, "busy")
    began = time.monotonic()
    model(server)(["rain"])
    assert time.monotonic() - began >= 1


def test_silent_server_is_asked_again_and_then_told(server) -> None:
    server.reply = lambda caption: time.sleep(0.5) or "<rain& all>"
    with pytest.raises(UserError, match="2 tries .*timed out"):
        model(server, timeout=0.1, attempts=2)(["rain"])


def test_a_server_that_drips_is_asked_again_and_then_told(server) -> None:
    server.pause = 0.05
    began = time.monotonic()
    with pytest.raises(UserError, match=r"2 tries .*timed out"):
        model(server, timeout=0.3, attempts=2)(["rain"])
    assert time.monotonic() - began < 5


def test_an_answer_without_an_end_is_told_and_not_kept(server) -> None:
    server.reply = lambda caption: (200, " " * (1 << 21))
    with pytest.raises(UserError, match="more than 1 MB"):
        model(server)(["rain"])


@pytest.mark.parametrize("depth", [5000, 200_000])
def test_an_answer_nested_without_an_end_is_told(server, depth: int) -> None:
    server.reply = lambda caption: (200, "[" * depth)
    with pytest.raises(UserError, match="does not answer as a chat server"):
        model(server)(["rain"])


@pytest.mark.parametrize("sign", ["\ud800", "\x1b[2J", "\x00", "\u202e"])
def test_signs_that_are_no_text_are_no_structured_caption(server, sign: str, caplog, tmp_path) -> None:
    server.reply = lambda caption: f"<rain{sign}& all>" if caption == "bad" else "<wind& all>"
    found = model(server, answers=tmp_path / "answers.jsonl")(["bad", "good"])
    assert found == ["<bad& all>", "<wind& all>"]
    assert "1 of 2 answers" in caplog.text
    server.asked.clear()
    assert model(server, answers=tmp_path / "answers.jsonl")(["bad", "good"]) == found
    assert not server.asked


@pytest.mark.parametrize("line", ['{"request": "x", "answer": 3}', "[" * 100_000, '"x"', '{"request": "x"}'])
def test_odd_lines_of_kept_answers_are_asked_again(server, line: str, caplog, tmp_path) -> None:
    (tmp_path / "answers.jsonl").write_text(line + "\n")
    assert model(server, answers=tmp_path / "answers.jsonl")(["rain"]) == ["<rain& all>"]
    assert "1 lines" in caplog.text


@pytest.mark.parametrize("body", ["<html>Welcome", "[]", '{"choices": []}', '"text"', ""])
def test_other_server_is_told_by_how_its_answer_begins(server, body: str) -> None:
    server.reply = lambda caption: (200, body)
    with pytest.raises(UserError, match="does not answer as a chat server") as refused:
        model(server)(["rain"])
    assert body in str(refused.value)


def test_unknown_path_or_model_is_told(server) -> None:
    server.reply = lambda caption: (404, "no such model")
    with pytest.raises(UserError, match="answered 404.*--model"):
        model(server)(["rain"])


def test_nobody_there_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(UserError, match="cannot be reached .*refused.*server running"):
            OpenAICompatible(Chat(endpoint, first_wait=60.0), "tiny")(["rain"])


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "localhost:8000/v1",
        "file:///etc/passwd",
        "http://",
        "http://a:x/v1",
        "http://[::1/",
        "http://a b/",
    ],
)
def test_wrong_address_is_refused(endpoint: str) -> None:
    with pytest.raises(UserError, match=r"no http or https address.*http://localhost:8000/v1"):
        Chat(endpoint)


def test_answers_are_kept_and_a_torn_line_is_asked_again(server, tmp_path, caplog) -> None:
    path, captions = tmp_path / "answers.jsonl", [f"rain {i}" for i in range(5)]
    expected = model(server, answers=path)(captions)
    path.write_bytes(path.read_bytes()[:-9])
    server.asked.clear()
    assert model(server, answers=path)(captions) == expected
    assert len(server.asked) == 1
    assert "1 lines" in caplog.text
    server.asked.clear()
    assert model(server, answers=path)(captions) == expected
    assert not server.asked


def test_another_model_is_asked_anew(server, tmp_path) -> None:
    model(server, answers=tmp_path / "answers.jsonl")(["rain"])
    OpenAICompatible(Chat(server.endpoint), "other", tmp_path / "answers.jsonl")(["rain"])
    assert server.asked == ["rain", "rain"]


def test_answers_before_an_error_are_kept(server, tmp_path) -> None:
    server.reply = lambda caption: (400, "") if caption == "bad" else "<rain& all>"
    path = tmp_path / "answers.jsonl"
    with pytest.raises(UserError, match="answered 400"):
        model(server, answers=path)([f"rain {i}" for i in range(20)] + ["bad"])
    assert len(path.read_text().splitlines()) >= 16
