"""Markup that cannot be broken by the text in it: whatever is not ``Html`` already is escaped."""

import base64
import hashlib
import html
from importlib.resources import files
from typing import Any

_VOID = {"img", "input", "link", "meta"}  # neither content nor closing tag


class Html(str):
    """Markup made by ``element``, which is not escaped again."""

    __slots__ = ()


def element(name: str, /, *content: object, **attributes: Any) -> Html:
    """Return ``<name attributes>content</name>``.

    content: ``Html`` stays as it is, None is left out, anything else becomes escaped text.
    attributes: ``class_`` is ``class``, ``data_name`` is ``data-name``; None and False are left out, True stands bare.
    """
    opening = Html(f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>")
    return opening if name in _VOID else Html(f"{opening}{joined(*content)}</{name}>")


def joined(*content: object) -> Html:
    """Return the content one after the other, escaped as in ``element``."""
    return Html("".join(_markup(part) for part in content if part is not None))


def _markup(part: object) -> str:
    return part if isinstance(part, Html) else html.escape(str(part))


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


def scrolling(content: Html, label: str) -> Html:
    """Return wide content, such as a table, that scrolls sideways by itself, with keys too."""
    return element("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)


def head(title: str, style: str, script: str | None = None) -> Html:
    """Return the head of a self-contained page.

    Its policy lets nothing be fetched, and no style or script count but those given, known by their hashes; pictures
    and sounds are inside the page. ``script`` stands in the body, where the page wants it; None: there is none.
    """
    scripts = f"script-src {_policy_hash(script)}; " if script is not None else ""
    policy = (
        f"default-src 'none'; style-src {_policy_hash(style)}; {scripts}img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Html(style)),
    )


def asset(name: str, package: str = "audiolcm.pages") -> Html:
    """Return a style or script of a package.

    Those of the default are shared: ``page.css``, or ``player.js``, which needs figures with sounds.
    """
    return Html(files(package).joinpath(name).read_text(encoding="utf-8"))


def _policy_hash(text: str) -> str:
    """Return how a content security policy names a style or script that is allowed."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
