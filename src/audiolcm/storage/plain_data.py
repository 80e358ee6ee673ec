"""JSON and YAML from a folder that anyone may have written: bounded, and rebuilt of plain values only.

What comes out is made of dicts with words as keys, lists, words, numbers, true, false and None, at most
``DEEPEST`` levels deep and ``MOST`` values in all. So nothing can hide in another kind of container, and no alias
stands for more than is there.
"""

import functools
import json
from pathlib import Path
from typing import Any

import yaml

DEEPEST = 50
MOST = 5_000_000
"""Values in one file; what an alias of YAML repeats counts each time."""
LARGE = 32 * 2**20
"""Bytes of one file. While it is read it takes some 20 times as much memory where it holds nothing but brackets."""
LARGEST = 512 * 2**20
"""Bytes of one list of captions, or of a corpus of ours: the largest published one has 200 MB."""
_BITS = 64
_YAML_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_json(path: Path, largest: int = LARGE, halves: bool = False) -> Any:
    """Return the content of a JSON file; a byte order mark is passed over.

    Args:
        path: of a regular file.
        largest: bytes it may have.
        halves: whether texts may have half a pair of surrogates, for a list whose entries are judged one by one.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no whole JSON, or is larger, deeper or stranger than such files are.
    """
    return parse_json(_read(path, largest), halves)


def parse_json(text: str | bytes, halves: bool = False) -> Any:
    """Return what a JSON text holds; ``halves`` as for ``read_json``.

    Raises:
        ValueError: it is no whole JSON, has a key twice, or is deeper or stranger than such texts are.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        content = json.loads(text, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return plain(content, LARGEST, halves)  # of JSON a value is never less than its bytes


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; of a key that comes twice nobody knows which one counts."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key[:50]!r} comes twice")
        content[key] = value
    return content


def read_yaml(path: Path, largest: int = 2**20) -> Any:
    """Return the content of a YAML file, without merge keys (``<<``) or keys that come twice.

    Args:
        path: of a regular file.
        largest: bytes it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no YAML, or is larger, deeper or stranger than such files are.
    """
    return parse_yaml(_read(path, largest))


def parse_yaml(text: str | bytes) -> Any:
    """Return what a YAML text holds.

    Raises:
        ValueError: it is no YAML, or is deeper or stranger than such texts are.
    """
    try:
        text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        _check_depth(text)  # libyaml's loader follows any depth, until the stack of the process ends
        content = yaml.load(text, _loader())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (TypeError, AttributeError, LookupError) as error:  # of PyYAML itself, on odd tags
        raise ValueError(f"it is no YAML ({type(error).__name__}: {error})") from error
    return plain(content)


def plain(content: object, most: int | None = None, halves: bool = False) -> Any:
    """Return content rebuilt of plain values, ``most`` of them (``MOST``); ``halves`` as for ``read_json``.

    Raises:
        ValueError: there is something else in it, or it is nested too deeply, or there is too much of it.
    """
    most = MOST if most is None else most
    left = most

    def rebuilt(node: object, path: str, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"it has more than {most:,} values")
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if isinstance(node, dict):
            return {_key(k, path): rebuilt(value, f"{path}.{k}", depth + 1) for k, value in node.items()}
        if type(node) is list:
            return [rebuilt(value, f"{path}[{index}]", depth + 1) for index, value in enumerate(node)]
        if isinstance(node, str):
            return node if halves else _text(node, path)
        if isinstance(node, int) and node.bit_length() > _BITS:  # Python would not even show it
            raise ValueError(f"it has a whole number of more than {_BITS} bits{_at(path)}")
        if node is None or isinstance(node, bool | int | float):
            return node
        raise ValueError(f"it has a {type(node).__name__}{_at(path)}, which is no plain value")

    return rebuilt(content, "", 0)


def _read(path: Path, largest: int) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest:,} bytes")
    return content


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"it has a key that is no word{_at(path)}: {str(key)[:20]!r}")
    return _text(key, path)


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"it has a text that cannot be written{_at(path)}: {text[:20]!a}") from error
    return text


def _at(path: str) -> str:
    return f" at {path.removeprefix('.')}" if path else ""


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _YAML_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError("it is nested too deeply")


@functools.cache
def _loader() -> type[Any]:
    class Loader(_YAML_LOADER):
        """Safe, and without merge keys: a few lines of those become millions of values while they are read.

        Nor does it read a key twice, of which a reader of the file sees one and the program takes the other.
        """

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            known = set()
            for key, _ in node.value:
                if key.tag == "tag:yaml.org,2002:merge":
                    self._refuse("merge keys (<<) are not read", key)
                if isinstance(key.value, str) and key.value in known:
                    self._refuse(f"the key {key.value[:50]!r} comes twice", key)
                known.add(str(key.value))

        def _refuse(self, reason: str, node: yaml.Node) -> None:
            raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark)

    return Loader
