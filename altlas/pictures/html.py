"""HTML documents that open without a network: elements that escape what they hold, and one frame with one style.

Owns escaping, the style and the rule that nothing outside the file is asked for. Does not own what a page says. Texts
reach a page only through `element`, so no value can become markup. Characters that show nothing or reorder others are
shown by their number.
"""

import hashlib
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

Element = ElementTree.Element
Content = Element | str

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode whose characters show nothing, or change how others are shown."""

_STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #868f99;
  --soft: #f2f4f7; --link: #0550ae; --bar: #2f6db5; --over: #a4161a; --focus: #8a3ffc; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e8eaed; --quiet: #a8b0ba; --line: #7a838d;
  --soft: #1f242a; --link: #79b8ff; --bar: #6ba6e8; --over: #ff8a80; --focus: #d0a9ff; } }
* { box-sizing: border-box; }
body { background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 76rem; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { border-bottom: 1px solid var(--line); font-size: 1.3rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-top: 1.5rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.skip { left: -99rem; position: absolute; }
.skip:focus { background: var(--page); left: 1rem; padding: .5rem; top: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 1rem; min-width: 20rem; }
caption { color: var(--quiet); padding: .2rem 0; text-align: left; }
th, td { border-bottom: 1px solid var(--line); max-width: 40rem; overflow-wrap: break-word;
  padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
tbody th { font-weight: 600; min-width: 8rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .85em; }
pre { background: var(--soft); margin: .3rem 0; overflow-wrap: anywhere; padding: .5rem; white-space: pre-wrap; }
summary { cursor: pointer; padding: .2rem 0; }
.quiet { color: var(--quiet); }
.over { color: var(--over); font-weight: 600; }
figure { margin: 1rem 0; overflow-x: auto; }
figcaption { color: var(--quiet); font-size: .9rem; }
svg { height: auto; max-width: 100%; min-width: 44rem; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg .small { fill: var(--quiet); font-size: 11px; }
svg .value { paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
svg .bar { fill: var(--bar); }
svg .bar.over { fill: var(--over); }
svg .mark, svg .arrow { fill: none; stroke: var(--quiet); stroke-width: 1.3; }
svg .tip { fill: var(--quiet); }
svg .box { fill: var(--soft); stroke: var(--quiet); }
svg .outside { stroke-dasharray: 4 3; }
svg .store { stroke-width: 3; }
@media print { :root { --page: #ffffff; --text: #000000; --quiet: #444444; --soft: #f2f4f7; --line: #868f99;
    --link: #0550ae; --bar: #2f6db5; --over: #a4161a; --focus: #8a3ffc; }
  nav, .skip { display: none; }
  body { font-size: 10pt; max-width: none; padding: 0; }
  svg { min-width: 0; }
  tr, figure, summary { break-inside: avoid; }
  h2, h3, caption, summary { break-after: avoid; }
  details::details-content { block-size: auto; content-visibility: visible; }
  @page { margin: 15mm; } }
""".strip()


def element(tag: str, /, *content: Content | None, **attributes: str) -> Element:
    """An element; a text in it is escaped.

    Args:
        tag: Name of the element.
        content: Elements and texts in their order; None is left out.
        attributes: By name, where `_` stands for `-` and a trailing `_` for nothing (`class_`).
    """
    made = Element(tag, {key.rstrip("_").replace("_", "-"): visible(value) for key, value in attributes.items()})
    for each in content:
        if isinstance(each, Element):
            made.append(each)
        elif each is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + visible(each)
        elif each is not None:
            made.text = (made.text or "") + visible(each)
    return made


def visible(text: str) -> str:
    """The text; a character that nobody would see, or that reorders others, as its number."""
    return "".join(each if each in "\n\t" or _is_seen(each) else f"\\u{{{ord(each):x}}}" for each in text)


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Content]]) -> Element:
    """A table whose first column names its rows; it scrolls by itself where the page is narrow."""
    head = element("tr", *(element("th", each, scope="col") for each in headings))
    body = (
        element("tr", element("th", row[0], scope="row"), *(element("td", each) for each in row[1:])) for row in rows
    )
    whole = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    # A keyboard scrolls the element that has the focus.
    return element("div", whole, class_="wide", tabindex="0", role="region", aria_label=caption)


def page(title: str, sections: Sequence[tuple[str, str, Sequence[Content]]], head: Sequence[Content]) -> str:
    """A whole document, which asks for nothing outside itself and runs no script.

    Args:
        title: Its title.
        sections: Id, heading and content of each.
        head: Lines below the title.
    """
    digest = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    links = (element("li", element("a", heading, href=f"#{name}")) for name, heading, _ in sections)
    parts = (
        element(
            "section", element("h2", heading, id=f"{name}-title"), *content, id=name, aria_labelledby=f"{name}-title"
        )
        for name, heading, content in sections
    )
    style = Element("style")
    style.text = _STYLE
    whole = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", title),
            style,
        ),
        element(
            "body",
            element("a", "To the content", href="#content", class_="skip"),
            element("header", element("h1", title), *head),
            element("nav", element("ul", *links), aria_label="Sections"),
            element("main", *parts, id="content"),
        ),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + ElementTree.tostring(whole, encoding="unicode", method="html") + "\n"


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) not in _UNSEEN
