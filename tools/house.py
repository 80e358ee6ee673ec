"""The house that the code is: its rooms, who imports whom, and a picture of it, all read from the syntax trees.

    python tools/house.py               draws docs/images/house.svg
    python tools/house.py --count       prints files, rooms, imports and lines; of another checkout: --root FOLDER

A room is a package, or a module right under one of the three top packages.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"audiolcm": "src/audiolcm", "evaluation": "evaluation", "experiments": "experiments"}
PICTURE = "docs/images/house.svg"
House = dict[str, set[str]]


def module_of(root: Path, path: Path) -> str:
    """Return the dotted name of a file's module; nothing for one outside of the packages."""
    for package, folder in PACKAGES.items():
        if path.is_relative_to(root / folder):
            names = [package, *path.relative_to(root / folder).with_suffix("").parts]
            return ".".join(names).removesuffix(".__init__")
    return ""


def modules(root: Path) -> dict[str, Path]:
    """Return the files of the packages by the names of their modules."""
    files = (path for folder in PACKAGES.values() for path in (root / folder).rglob("*.py"))
    return {module_of(root, path): path for path in sorted(files)}


def imports(tree: ast.AST, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of everything that code imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                kept = parents[: len(parents) - node.level + is_package]
                base = ".".join([*kept, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room_of(name: str, packages: set[str]) -> str:
    """Return the room in which a module lies, or what it holds; ``packages`` are the names of all packages."""
    parts = name.split(".")
    if len(parts) == 1:
        return name
    inner = max((n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in packages), default=0)
    return ".".join(parts[: max(inner, 2)])


def house(root: Path) -> House:
    """Return each room and the others that it imports."""
    known = modules(root)
    packages = {name for name, path in known.items() if path.name == "__init__.py"}
    rooms: House = {room_of(name, packages): set() for name in known}
    for name, path in known.items():
        room = room_of(name, packages)
        for _, target in imports(ast.parse(path.read_text()), name, path.name == "__init__.py"):
            if target.partition(".")[0] in PACKAGES and (other := _holding(target, known)):
                rooms[room].add(room_of(other, packages))
        rooms[room].discard(room)
    return rooms


def _holding(name: str, known: Mapping[str, Path]) -> str:
    """Return the module that ``name`` is, or that holds it; nothing for none."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def floors(rooms: House) -> dict[str, int]:
    """Return the height of each room: one above the highest that it imports.

    Raises:
        ValueError: rooms import one another in a circle.
    """
    heights: dict[str, int] = {}

    def height(room: str, above: tuple[str, ...]) -> int:
        if room in above:
            raise ValueError(f"a circle: {' -> '.join([*above[above.index(room) :], room])}")
        if room not in heights:
            heights[room] = 1 + max((height(other, (*above, room)) for other in rooms[room]), default=-1)
        return heights[room]

    for room in rooms:
        height(room, ())
    return heights


def counts(root: Path) -> dict[str, int]:
    """Return the numbers of files, rooms, arrows between rooms, imports of ours, and lines."""
    known, rooms = modules(root), house(root)
    texts = {name: path.read_text() for name, path in known.items()}
    ours = [
        target
        for name, text in texts.items()
        for _, target in imports(ast.parse(text), name)
        if target.partition(".")[0] in PACKAGES
    ]
    return {
        "files": len(known),
        "rooms": len(rooms),
        "arrows between rooms": sum(map(len, rooms.values())),
        "imports": len(ours),
        "lines": sum(text.count("\n") for text in texts.values()),
    }


def draw(rooms: House, path: Path) -> None:
    """Draw each package as a house: floors upward, and arrows down to what is imported."""
    figure, axes = plt.subplots(3, 1, figsize=(15, 21), height_ratios=[9, 7, 5])
    for axis, package in zip(axes, PACKAGES, strict=True):
        inside = {room: others for room, others in rooms.items() if room.partition(".")[0] == package}
        _draw_package(axis, package, {room: others & inside.keys() for room, others in inside.items()})
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "house", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _draw_package(axis: Axes, package: str, rooms: House) -> None:
    heights = floors(rooms)
    by_floor: dict[int, list[str]] = defaultdict(list)
    for room in sorted(rooms):
        by_floor[heights[room]].append(room)
    places = {  # floors are shifted by turns, so that an arrow past a floor does not hide behind its rooms
        room: ((i + 1 + 0.22 * (-1) ** height) / (len(floor) + 1), height)
        for height, floor in by_floor.items()
        for i, room in enumerate(floor)
    }
    for room, (x, y) in places.items():
        for other in _direct(room, rooms):
            across, down = places[other]
            axis.annotate("", (across, down + 0.16), (x, y - 0.16), zorder=1,
                          arrowprops={"arrowstyle": "-|>", "color": "#8a99ad", "lw": 0.8})  # fmt: skip
    width = min(0.94 / (max(map(len, by_floor.values())) + 1), 0.12)
    for room, (x, y) in places.items():
        box = FancyBboxPatch((x - width / 2, y - 0.14), width, 0.28, boxstyle="round,pad=0,rounding_size=0.01",
                             facecolor="#eef3fa", edgecolor="#3b5b8c", zorder=2)  # fmt: skip
        axis.add_patch(box)
        axis.text(x, y, room.removeprefix(f"{package}."), ha="center", va="center", fontsize=8.5, zorder=3)
    axis.set_title(package, loc="left", fontsize=13)
    axis.set_xlim(0, 1)
    axis.set_ylim(-0.4, max(by_floor) + 0.4)
    axis.axis("off")


def _direct(room: str, rooms: House) -> set[str]:
    """Return what a room imports and none of the others that it imports leads to: those arrows are not drawn."""
    reached: set[str] = set()
    waiting = [further for other in rooms[room] for further in rooms[other]]
    while waiting:
        if (other := waiting.pop()) not in reached:
            reached.add(other)
            waiting += rooms[other]
    return rooms[room] - reached


def main(arguments: list[str] | None = None) -> None:
    """Draw the picture, or print the counts."""
    parser = argparse.ArgumentParser(description="The rooms of the code, who imports whom, and a picture.")
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout")
    parser.add_argument("--count", action="store_true", help="print counts instead of drawing")
    given = parser.parse_args(arguments)
    if given.count:
        sys.stdout.write("".join(f"{name}: {count}\n" for name, count in counts(given.root).items()))
    else:
        draw(house(given.root), given.root / PICTURE)


if __name__ == "__main__":
    main()
