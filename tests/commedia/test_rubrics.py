"""A rubric is read whole, or refused in one sentence that says what, where, and what to do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.errors import UsageError
from commedia.rubrics import Criterion, Rubric, read_criteria, read_rubric

GOOD = """
[[criteria]]
name = "accuracy"
description = \"\"\"
No claim is wrong,
and none is made up.\"\"\"
weight = 3

[[criteria]]
name = "brevity"
"""


def test_criteria_come_in_their_order_with_names_weights_and_one_quality_each(
    tmp_path: Path,
) -> None:
    (tmp_path / "r.toml").write_text(GOOD)

    rubric = read_rubric(tmp_path / "r.toml")

    assert rubric.names == ["accuracy", "brevity"]
    assert rubric.by() == ["accuracy: No claim is wrong, and none is made up.", "brevity"]
    assert rubric.shares == [0.75, 0.25]


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(GOOD)
    (tmp_path / "r.json").write_text(
        '{"criteria": [{"name": "accuracy", "weight": 3,'
        ' "description": "No claim is wrong, and none is made up."}, {"name": "brevity"}]}'
    )

    assert read_rubric(tmp_path / "r.json") == read_rubric(str(tmp_path / "r.toml"))


BAD: dict[str, tuple[str, str]] = {
    "r.yaml": ("criteria: []", "is neither a .toml nor a .json file"),
    "syntax.toml": ("[[criteria", "is not TOML"),
    "syntax.json": ("{", "is not JSON"),
    "deep.json": ("[" * 100_000, "is not JSON"),
    "list.json": ("[]", "is no object"),
    "empty.toml": ("", "has no criteria; list at least one"),
    "none.json": ('{"criteria": []}', "has no criteria"),
    "text.json": ('{"criteria": "accuracy"}', "has no criteria"),
    "strings.json": ('{"criteria": ["accuracy"]}', "criterion 1 of rubric"),
    "alien.toml": ('titel = "x"\n' + GOOD, "has a key 'titel'"),
    "key.toml": ('[[criteria]]\nname = "a"\nwieght = 2', "has a key 'wieght'"),
    "nameless.toml": ("[[criteria]]\nweight = 2", "has no name"),
    "blank.toml": ('[[criteria]]\nname = " "', "is blank"),
    "number.toml": ("[[criteria]]\nname = 3", "is no text but 3"),
    "twice.toml": ('[[criteria]]\nname = "a"\n[[criteria]]\nname = "a"', "two criteria named 'a'"),
    "zero.toml": ('[[criteria]]\nname = "a"\nweight = 0', "the weight of criterion 1"),
    "negative.toml": ('[[criteria]]\nname = "a"\nweight = -1', "is -1; give a number above 0"),
    "nan.toml": ('[[criteria]]\nname = "a"\nweight = nan', "is nan"),
    "huge.json": (f'{{"criteria": [{{"name": "a", "weight": 1{"0" * 400}}}]}}', "the weight"),
    "infinite.json": ('{"criteria": [{"name": "a", "weight": 1e999}]}', "is inf"),
    "yes.json": ('{"criteria": [{"name": "a", "weight": true}]}', "is True"),
    "words.json": ('{"criteria": [{"name": "a", "weight": "2"}]}', "is '2'"),
    "surrogate.json": ('{"criteria": [{"name": "\\ud800"}]}', "is not valid UTF-8"),
    "long.toml": (f'[[criteria]]\nname = "{"a" * 101}"', "has 101 characters"),
    "many.toml": ("\n".join(f'[[criteria]]\nname = "{n}"' for n in range(21)), "has 21 criteria"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_rubric_that_makes_no_sense_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    content, sentence = BAD[name]
    (tmp_path / name).write_text(content)

    with pytest.raises(UsageError) as refused:
        read_rubric(tmp_path / name)

    said = str(refused.value)
    assert sentence in said and "\n" not in said and len(said) < 500


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'[[criteria]]\nname = "\xfc"')

    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read"):
        read_rubric(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match=r"latin\.toml is not UTF-8"):
        read_rubric(tmp_path / "latin.toml")


@given(
    st.lists(
        st.builds(
            Criterion,
            st.from_regex(r"[a-z]{1,20}", fullmatch=True),
            st.from_regex(r"([a-z]{1,8}( [a-z]{1,8})*)?", fullmatch=True),
            st.floats(1e-6, 1e5),
        ),
        min_size=1,
        max_size=20,
        unique_by=lambda criterion: criterion.name,
    )
)
def test_what_is_kept_is_what_was_read(criteria: list[Criterion]) -> None:
    rubric = Rubric(tuple(criteria))

    assert read_criteria(rubric.to_json(), source="a run") == rubric
    assert sum(rubric.shares) == pytest.approx(1.0)
