"""A page shows everything and does nothing, whatever the texts in it want."""

import dataclasses
from html.parser import HTMLParser
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from commedia.eval_page import MOST_ITEMS, picture_of
from commedia.eval_result import EvalResult
from commedia.session import Session

HOSTILE = (
    '<script>alert("owned")</script><img src="http://evil.example/x.png" onerror="alert(1)">'
    "</pre></td></table><iframe src=javascript:alert(1)></iframe>\x1b[2J\u202egnp.exe{title}{0}"
    "![x](http://evil.example/y.png)"
)
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead"),
    *("tbody", "tr", "th", "td", "details", "summary", "pre", "svg", "text", "line", "circle"),
    "div",
}
PLAIN = {
    *("class", "lang", "charset", "name", "content", "http-equiv", "viewbox", "width", "role"),
    *("aria-label", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "fill", "stroke"),
    *("stroke-width", "text-anchor"),
}


class Seen(HTMLParser):
    """Collects the elements, attributes and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def seen(page: str) -> Seen:
    """Return what a browser would see of *page*."""
    found = Seen()
    found.feed(page)
    return found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> EvalResult:
    """An evaluation in which every text is hostile: ids, prompts, outputs, names, the quality."""
    one, other = f"A{HOSTILE[:40]}", f"B{HOSTILE[:40]}"
    rows = [
        {"id": f"{n}{HOSTILE}", "q": f"{HOSTILE} {n}", "a": f"{HOSTILE} a{n}", "b": None}
        for n in range(6)
    ]
    for row in rows[:5]:
        row["b"] = f"{HOSTILE} b"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMMEDIA_HOME", str(tmp_path_factory.mktemp("home")))
        with Session(runtime="inline") as session:
            return session.eval(
                rows,
                prompt="q",
                id="id",
                systems={one: "a", other: "b"},
                by=HOSTILE,
                quality={one: 1.0, other: 0.0},
            )


@pytest.mark.parametrize("kind", ["page", "notebook"])
def test_no_text_becomes_an_element_or_an_attribute(hostile: EvalResult, kind: str) -> None:
    page = hostile.to_html() if kind == "page" else hostile._repr_html_()

    found = seen(page)

    assert found.tags <= ALLOWED
    assert found.attributes <= PLAIN
    assert "\x1b" not in page and "\u202e" not in page


def test_a_page_loads_and_runs_nothing(hostile: EvalResult) -> None:
    page = hostile.to_html()

    assert "default-src 'none'" in page
    assert not any(name in seen(page).attributes for name in ("src", "href", "onerror", "style"))


def test_every_text_can_be_read(hostile: EvalResult) -> None:
    """Inert is not gone: the words are there, as words."""
    texts = "".join(seen(hostile.to_html()).texts)

    assert '<script>alert("owned")</script>' in texts
    assert "no output: blank" in texts
    assert "{title}{0}" in texts


def test_simulated_stands_first_and_last(hostile: EvalResult) -> None:
    paragraphs = hostile.to_html().split('<p class="simulated">')

    assert len(paragraphs) == 3
    assert paragraphs[1].startswith("simulated: sim:judge is a simulated judge")
    assert paragraphs[2].partition("</p>")[2].split() == ["</body>", "</html>"]


def test_the_picture_has_a_bar_for_each_system_inside_its_frame(hostile: EvalResult) -> None:
    picture = ElementTree.fromstring(picture_of(hostile))

    width = float(picture.attrib["width"])
    bars = [line for line in picture.iter("line") if line.get("stroke-width")]
    dots = [float(dot.attrib["cx"]) for dot in picture.iter("circle")]
    assert len(bars) == len(dots) == 2
    for bar, dot in zip(bars, dots, strict=True):
        assert 0 < float(bar.attrib["x1"]) <= dot <= float(bar.attrib["x2"]) < width


def test_systems_of_which_nothing_is_known_are_in_the_table_and_not_in_the_picture(
    hostile: EvalResult,
) -> None:
    nothing = pa.array([float("nan")] * hostile.leaderboard.num_rows)
    at = hostile.leaderboard.column_names.index
    board = hostile.leaderboard
    for name in ("score", "low", "high", "rank_low", "rank_high"):
        board = board.set_column(at(name), name, nothing)
    unknown = dataclasses.replace(hostile, leaderboard=board)

    assert picture_of(unknown) == ""
    assert "- to -" in unknown.to_html()


def test_a_page_of_very_many_items_shows_the_first_and_says_so(hostile: EvalResult) -> None:
    item = hostile.per_item.slice(0, 2)
    rows = [{**row, "id": f"item {n}"} for n in range(MOST_ITEMS + 100) for row in item.to_pylist()]
    many = dataclasses.replace(hostile, items=MOST_ITEMS + 100, per_item=pa.Table.from_pylist(rows))

    page = many.to_html()

    assert "The first 500 of 600 are shown." in page
    assert page.count("<tr>") < MOST_ITEMS + 20
