"""Literals in docstrings of product code stand in double backticks (reStructuredText); ruff checks the rest."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "evaluation", "experiments", "benchmarks", "tools")
SINGLE = re.compile(r"(?<!`)`[^`]+`(?!`)")


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Every docstring, also those below the constants and fields that they tell of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            texts = (part.value for part in node.body if isinstance(part, ast.Expr))
            yield from (
                text for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)
            )


def single_backticks(code: str) -> list[tuple[int, str]]:
    """The line of a docstring and what it has in single backticks, the first of each."""
    found = ((text.lineno, SINGLE.search(str(text.value))) for text in docstrings(ast.parse(code)))
    return [(line, match[0]) for line, match in found if match]


def product_files() -> list[Path]:
    return [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]


def test_literals_have_double_backticks() -> None:
    files = product_files()
    assert len(files) > 300
    found = [
        f"{path.relative_to(ROOT)}:{line}: {literal}"
        for path in files
        for line, literal in single_backticks(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('"""Say `x`."""', [(1, "`x`")]),
        ('def f():\n    """Say ``x`` and `y z`."""', [(2, "`y z`")]),
        ('class A:\n    x: int\n    """See `f(x)`."""', [(3, "`f(x)`")]),
        ('X = 1\n"""A text\n\nof `x`,\nand `y`.\n"""', [(2, "`x`")]),
        ('"""Say ``x``, ``f(x)``."""\nX = "a message with `x`"  # and a comment with `x`', []),
        ('def f():\n    return "`x`"', []),
    ],
)
def test_single_backticks_are_found_in_docstrings_alone(code: str, found: list[tuple[int, str]]) -> None:
    assert single_backticks(code) == found
