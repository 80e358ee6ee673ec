"""The page of results: self-contained, safe, and the measured first."""

import re
from html.parser import HTMLParser
from pathlib import Path

from made_results import HOSTILE, fad, record, write, write_fig3, write_table6

from experiments.items.catalog import STEMS
from experiments.rendering.render import render


class Page(HTMLParser):
    """What a page refers to, and its elements that were opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]
        self.ids |= {value or "" for name, value in attributes if name == "id"}
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_self_contained_and_escaped(tmp_path: Path) -> None:
    write_table6(tmp_path)
    write_fig3(tmp_path)
    change = {"notes": [HOSTILE], "report": "runs/evaluate/a b,c=1/report.html"}
    write(tmp_path, record("table6_backbone", "full", 0, fad(10.0), **change))
    write(tmp_path, record("table6_backbone", "full", 1, fad(10.0), report="javascript:alert(1)"))
    render([], None, tmp_path)
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert not page.open and "script" not in page.tags and "<script" not in text
    outside = [link for link in page.links if not link.startswith(("#", "data:"))]
    assert len(outside) == 1 and outside[0].endswith("runs/evaluate/a%20b%2Cc%3D1/report.html")
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert {f"replica-{stem}" for stem in STEMS} <= page.ids
    assert (
        "default-src 'none'" in text.replace("&#x27;", "'") and "url(" not in text and "@import" not in text
    )
    assert text.count("data:image/png;base64,") == 1
    assert "holds at this scale" in text and "Measured at replica scale: esc10, test split; YAMNet" in text


def test_page_has_what_is_measured_first_and_folds_the_rest(tmp_path: Path) -> None:
    write_table6(tmp_path)
    write(tmp_path, record("table6_backbone", "full", 0, fad(10.0), scale="esc10"))
    render([], None, tmp_path)
    text = (tmp_path / "index.html").read_text()
    places = re.findall(r'<(section|details) id="(esc10|replica)-([a-z0-9_]+)"', text)
    assert places[:2] == [("section", "esc10", "table6_backbone"), ("section", "replica", "table6_backbone")]
    assert len(places) == 2 * len(STEMS) and {kind for kind, *_ in places[2:]} == {"details"}
    assert "measured (replica" not in text and "measured (esc10" not in text
    assert text.count("Sounds, generated/reference: N=80/80.") == text.count("N=80/80") == 2
    assert "Claims not measured (" in text and "Rows not measured (3)" in text
