"""A template joins columns and can do nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors import errors
from commedia.templates import Template

COLUMNS = ["title", "report", "two words", "a.b"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{title.__class__}", "reaches into a value"),
        ("{title[0]}", "reaches into a value"),
        ("{title!r}", "format or a conversion"),
        ("{title:>10}", "format or a conversion"),
        ("{title:{report}}", "format or a conversion"),
        ("{}", "has no column name"),
        ("{0}", "has no column name"),
        ("{titel}", "no column 'titel'"),
        ("{title", "cannot be read"),
        ("title}", "cannot be read"),
        ("{{title}}", "names no column"),
    ],
)
def test_all_but_plain_column_names_is_refused(source: str, reason: str) -> None:
    with pytest.raises(errors.UsageError, match=reason) as caught:
        Template.parse(source, COLUMNS)

    assert "\n" not in str(caught.value)


def test_a_column_may_have_any_name() -> None:
    template = Template.parse("{two words}/{a.b}", COLUMNS)

    assert template.render({"two words": "x", "a.b": "y"}) == "x/y"


@given(title=st.text(min_size=1), report=st.text())
def test_values_are_inserted_as_they_are(title: str, report: str) -> None:
    template = Template.parse("{{<{title}\n{report}>}}", COLUMNS)

    rendered = template.render({"title": title, "report": report})

    if (title + report).strip():
        assert rendered == "{<" + title + "\n" + report + ">}"
    else:
        assert rendered is None


def test_an_empty_field_counts_as_nothing_unless_all_are_empty() -> None:
    template = Template.parse("{title}: {report}", COLUMNS)

    assert template.render({"title": None, "report": "smoke"}) == ": smoke"
    assert template.render({"title": None, "report": " "}) is None
