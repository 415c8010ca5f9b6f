"""Bar charts as SVG; every bar has its name and its figure in words, so that no colour is needed to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from altlas.pictures.html import Element, element

_LEFT, _WIDTH, _RIGHT, _ROW, _HEIGHT, _TOP = 330, 560, 190, 26, 16, 24
_LETTER = 6.6
"""Width of a letter, at most, in the units of the picture."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: Its name.
        value: Its length.
        text: The figure in words.
        is_over: True where it is more than there is.
    """

    name: str
    value: float
    text: str
    is_over: bool = False


def chart(title: str, bars: Sequence[Bar], limit: float | None = None, limit_name: str = "") -> Element:
    """Bars on one scale, with a line at the limit.

    Args:
        title: Title, for those who hear the picture.
        bars: The bars.
        limit: What there is; None where that is not known.
        limit_name: Name of the line.
    """
    most = max([each.value for each in bars] + [limit or 0]) or 1
    height = _TOP + _ROW * len(bars) + 4
    parts: list[Element] = [element("title", title)]
    if limit is not None:
        at = f"{_LEFT + limit / most * _WIDTH:.1f}"
        parts += [
            element("line", x1=at, x2=at, y1=str(_TOP - 4), y2=str(height), class_="mark"),
            element("text", limit_name, x=at, y=str(_TOP - 8), text_anchor="middle", class_="small"),
        ]
    for number, bar in enumerate(bars):
        parts += _bar(bar, _TOP + number * _ROW, bar.value / most * _WIDTH)
    size = f"0 0 {_LEFT + _WIDTH + _RIGHT} {height}"
    return element("svg", *parts, viewBox=size, role="img", aria_label=title, width=str(_LEFT + _WIDTH + _RIGHT))


def _bar(bar: Bar, top: int, width: float) -> list[Element]:
    over = " over" if bar.is_over else ""
    baseline = str(top + _HEIGHT - 3)
    shown = bar.name if len(bar.name) * _LETTER <= _LEFT else f"{bar.name[: int(_LEFT / _LETTER) - 1]}…"
    return [
        element("text", shown, x=str(_LEFT - 8), y=baseline, text_anchor="end"),
        element(
            "rect", x=str(_LEFT), y=str(top), width=f"{max(width, 1):.1f}", height=str(_HEIGHT), class_=f"bar{over}"
        ),
        element("text", bar.text, x=f"{_LEFT + width + 6:.1f}", y=baseline, class_="value"),
    ]
