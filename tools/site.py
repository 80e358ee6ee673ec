"""What mkdocs adds to docs/: the README as home page, other documents, results, and a reference of the modules."""

import re
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCUMENTS = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Of the top folder, and their names on the site."""
RESULTS = "experiments/results"
FIRST = ("first_hour.md", "installation.md")
"""Guides that stand before the others, which stand in the order of their names."""
PACKAGES = {"audiolcm": "src/audiolcm", "evaluation": "evaluation", "experiments": "experiments"}
LINK = re.compile(r"(!?)\[((?:[^\]\n]|\n(?!\n))+)\]\(([^)\s:#]+)(#[^)\s]*)?\)")  # may go on in the next line


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages under five heads, so that a new document or module needs no line in mkdocs.yml."""
    docs = Path(config.docs_dir)
    names = (path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    guides = sorted(names, key=lambda name: (name not in FIRST, name))
    scales = sorted(path for path in (ROOT / RESULTS).iterdir() if any(path.glob("*.md")))
    tables = [{scale.name: [page_of(path) for path in sorted(scale.glob("*.md"))]} for scale in scales]
    rooms = [{name: f"reference/{name}.md"} for name, _ in rooms_of_code()]
    config.nav = [
        {"Home": "index.md"},
        {"Guides": guides},
        {"Results": tables},
        {"Reference": rooms},
        {"Project": ["CONTRIBUTING.md", "CHANGELOG.md"]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    copies = {name: ROOT / source for source, name in DOCUMENTS.items()}
    results = [path for path in (ROOT / RESULTS).glob("*/*") if path.suffix in (".md", ".png")]
    for name, path in (copies | {page_of(path): path for path in results}).items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    for name, modules in rooms_of_code():
        whole = f"::: {name}\n    options: {{heading_level: 1}}"
        text = "\n\n".join([whole, *(f"::: {module}" for module in modules)])
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Let links that hold in the repository hold on the site; those to files that are not on it become plain words.

    A link to nothing is left as it is, for ``mkdocs build --strict`` to refuse.
    """
    folder = folder_of(page.file.src_uri)

    def corrected(match: re.Match[str]) -> str:
        mark, words, target, anchor = match.groups()
        source = normpath(join(folder, target))
        name = DOCUMENTS.get(source, source.removeprefix("docs/"))
        if files.get_file_from_path(name) is not None:
            return f"{mark}[{words}](/{name}{anchor or ''})"
        return words if (ROOT / source).exists() else match[0]

    return LINK.sub(corrected, markdown)


def folder_of(name: str) -> str:
    """Return the folder of the repository in which a page of the site lies."""
    if name in DOCUMENTS.values():
        return ""
    return dirname(name if name.startswith(RESULTS) else join("docs", name))


def page_of(path: Path) -> str:
    """Return the name on the site of a file that keeps its place in the repository."""
    return path.relative_to(ROOT).as_posix()


def rooms_of_code() -> Iterator[tuple[str, list[str]]]:
    """Yield each package with the names of the public modules that lie in it."""
    for package, place in PACKAGES.items():
        top = ROOT / place
        for folder in [top, *sorted(path for path in top.rglob("*") if path.is_dir())]:
            name = ".".join((package, *folder.relative_to(top).parts))
            modules = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
            if modules:
                yield name, [f"{name}.{module}" for module in modules]
