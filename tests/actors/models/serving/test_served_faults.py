"""Which fault strikes: a function of the request and the attempt, or of the schedule."""

from pathlib import Path

import pytest

from commedia.actors.errors import UsageError
from commedia.actors.models.serving.faults import Faults, Rule, faults_from
from commedia.actors.models.serving.malformed import SHAPES, broken
from commedia.actors.models.wire import read_message


def faults(*rules: dict[str, object], seed: int = 0) -> Faults:
    return Faults([Rule.model_validate(rule) for rule in rules], seed)


def struck(
    found: Faults, digest: str = "d", *, attempt: int = 0, number: int = 1, at: float = 0.0
) -> str | None:
    strike = found.strike(digest, on="messages", attempt=attempt, number=number, elapsed_s=at)
    return None if strike is None else strike.name


def test_a_share_is_drawn_for_each_request_and_attempt_whenever_they_come() -> None:
    found = faults({"fault": "500", "share": 0.2})
    first = [struck(found, f"d{n}", number=n + 1) for n in range(2_000)]
    late = [struck(found, f"d{n}", number=9_999 - n, at=77.0) for n in range(2_000)]
    again = [struck(found, f"d{n}", attempt=1) for n in range(2_000)]
    other = [struck(faults({"fault": "500", "share": 0.2}, seed=1), f"d{n}") for n in range(2_000)]

    assert first == late
    assert 0.17 < first.count("500") / 2_000 < 0.23
    assert 0.01 < sum(a == b == "500" for a, b in zip(first, again, strict=True)) / 2_000 < 0.07
    assert first != other


def test_a_list_of_faults_is_mixed_and_malformed_answers_have_all_shapes() -> None:
    found = faults({"fault": ["529", "drop_after", "malformed"]})
    seen = [struck(found, f"d{n}") for n in range(3_000)]
    shapes = {name for name in seen if name and name.startswith("malformed:")}

    assert 900 < seen.count("529") < 1_100 and 900 < seen.count("drop_after") < 1_100
    assert shapes == {f"malformed:{shape}" for shape in SHAPES}


def test_a_schedule_goes_by_seconds_requests_counts_and_attempts() -> None:
    storm = faults({"fault": "529", "from_s": 10, "to_s": 20})
    range_ = faults({"fault": "529", "from_request": 3, "to_request": 4})
    every = faults({"fault": 500, "every": 3})
    twice = faults({"fault": "500", "attempts": 2})

    assert [struck(storm, at=at) for at in (9.9, 10.0, 19.9, 20.0)] == [None, "529", "529", None]
    assert [struck(range_, number=n) for n in (2, 3, 4, 5)] == [None, "529", "529", None]
    assert [struck(every, number=n) for n in range(1, 7)] == [None, None, "500"] * 2
    assert [struck(twice, attempt=n) for n in range(3)] == ["500", "500", None]


def test_the_first_rule_that_strikes_decides() -> None:
    found = faults({"fault": "429", "every": 2}, {"fault": "drop_before"})

    assert [struck(found, number=n) for n in (1, 2)] == ["drop_before", "429"]


def test_what_is_charged_is_known() -> None:
    kinds = ("429", "500", "drop_before", "500_charged", "drop_after", "malformed", "trickle")
    strikes = [
        faults({"fault": kind}).strike("d", on="messages", attempt=0, number=1, elapsed_s=0)
        for kind in kinds
    ]

    assert [s.is_charged for s in strikes if s] == [False] * 3 + [True] * 4
    assert [s.status for s in strikes if s] == [429, 500, None, 500, None, None, None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[rule]]\nfault = "500"\n[[rule]]\nfault = "drp"', r"rule 2 \(fault\): no fault.*'drp'"),
        ('[[rule]]\nfault = "malformed:odd"', "no malformed answer is called 'odd'"),
        ('[[rule]]\nfault = "200"', "statuses from 400 to 599"),
        ("[[rule]]\nshare = 0.5", r"\(fault\): Field required"),
        ('[[rule]]\nfault = "500"\nshare = 1.5', r"\(share\): Input should be less"),
        ('[[rule]]\nfault = "500"\nchance = 0.5', r"\(chance\): Extra inputs"),
        ('[[rule]]\nfault = "500"\nevery = "3"', r"\(every\): Input should be a valid integer"),
        ('[[rule]]\nfault = "500"\nfrom_s = 9.0\nto_s = 3.0', "ends before it begins"),
        ("[[rule]]\nfault = []", "a list of faults needs one"),
        ('[[rule]]\nfault = "hang"\non = "batches"', "hang is no fault of batches"),
        ("rule = 3", "must be a list of rules"),
        ("[[rule", "are no TOML"),
    ],
)
def test_a_faulty_file_of_faults_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=says) as caught:
        faults_from(path)
    assert str(path) in str(caught.value)


def test_rules_are_read_from_toml_and_json(tmp_path: Path) -> None:
    toml, text = tmp_path / "f.toml", tmp_path / "f.json"
    toml.write_text("[[rule]]\nfault = 429\nretry_after = 1e9\n")
    text.write_text('[{"fault": "429", "retry_after": 1e9}]')

    assert faults_from(toml) == faults_from(text)
    with pytest.raises(UsageError, match="cannot read the faults"):
        faults_from(tmp_path / "none.toml")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UsageError, match="are no JSON"):
        faults_from(tmp_path / "broken.json")


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "a"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_our_client_takes_no_malformed_answer_for_a_good_one(shape: str) -> None:
    """A lone surrogate is a text that can be read, once it is replaced."""
    attempt = read_message(broken(MESSAGE, shape).data)

    assert (attempt.outcome == "malformed") is (shape != "lone_surrogate")
