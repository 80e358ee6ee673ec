"""Hydra's own options can be made on this Python, also on 3.14, where argparse looks into their help texts."""

import argparse
import sys

import pytest
from hydra._internal.utils import get_args_parser

from audiolcm.environment.hydra_help import allow_lazy_help


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(argparse.HelpFormatter, "_expand_help", argparse.HelpFormatter._expand_help)


def test_hydra_makes_its_options() -> None:
    allow_lazy_help()
    assert get_args_parser().parse_args(["-m", "seed=1"]).multirun


class Lazy:
    def __repr__(self) -> str:
        return "made 100% when shown"


def test_a_help_that_is_no_text_is_taken_as_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    allow_lazy_help()
    parser = argparse.ArgumentParser(prog="train.py")
    texts = [
        argparse.HelpFormatter("train.py")._expand_help(argparse.Action([], "lazy", default=3, help=text))
        for text in (Lazy(), "%(default)s of %(prog)s")  # type: ignore[arg-type]
    ]
    assert texts == ["made 100% when shown", "3 of train.py"]
    parser.add_argument("--lazy", help=Lazy())  # type: ignore[arg-type]
