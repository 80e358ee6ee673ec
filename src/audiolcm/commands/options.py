"""Command lines of options: a typo is one message with the nearest right word."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

_TYPED = re.compile(r"(?:invalid choice: '|unrecognized arguments: )([^\s']+)")


class Parser(argparse.ArgumentParser):
    """As of the standard library; its commands are such parsers too, and tell of their own options."""

    # pyrefly: ignore[bad-override]  (the library's stubs have one for each way to call it)
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Return the options and the other words; of these none is an option."""
        self._given = list(sys.argv[1:] if args is None else args)
        known, others = super().parse_known_args(args, namespace)
        if any(word.startswith("-") for word in others):
            self.error(f"unrecognized arguments: {' '.join(others)}")
        return known, others

    def error(self, message: str) -> NoReturn:
        """End with exit code 2 and one message."""
        from audiolcm.configuration.checking import nearest  # slow to import

        words = [
            name for action in self._actions for name in (*action.option_strings, *(action.choices or ()))
        ]
        odd = [word for word in self._given if word.startswith("-") and word.partition("=")[0] not in words]
        if "required" in message and odd:  # asked for before argparse tells of others
            message = f"unrecognized arguments: {odd[0]}"
        typed = _TYPED.search(message)
        near = nearest(typed[1].partition("=")[0], map(str, words)) if typed else ""
        self.exit(2, f"{self.prog}: {message}.{near} All of it: {self.prog} --help\n")
