"""The synthesis checks references, adds nats up, and says when it does not know."""

import itertools
import math

import pytest

from commedia.patterns.recipes.root_cause.answers import Analysis, Candidate, Fault, Refutation
from commedia.patterns.recipes.root_cause.synthesis import Panel, exists, synthesize

SIZES = {"logs": 10, "spans": 10}


def analysis(service: str, score: float, *rows: str, kind: Fault = "return") -> Analysis:
    one = Candidate(service=service, kind=kind, score=score, false_alarm_rate=0.1, rows=rows)
    return Analysis(observed=(), unobserved=(), candidates=(one,))


@pytest.mark.parametrize(
    "reference", ["logs:10", "logs:-1", "logs:1.0", "logs:", "logs:²", "x:1", "1"]
)
def test_a_reference_that_names_no_row_does_not_exist(reference: str) -> None:
    assert not exists(reference, "logs", SIZES)


def test_a_name_may_hold_a_colon() -> None:
    assert exists("eu:logs:3", "eu:logs", {"eu:logs": 4})


def test_references_that_do_not_exist_are_rejected() -> None:
    report = synthesize({"logs": analysis("a", 3.0, "logs:1", "logs:99")}, {}, SIZES)

    assert report.causes[0].rows == ("logs:1",)
    assert report.rejected == ("logs:99",)


def test_an_analyst_cannot_cite_anothers_evidence() -> None:
    report = synthesize({"logs": analysis("a", 3.0, "spans:1")}, {}, SIZES)

    assert report.causes == ()
    assert report.rejected == ("spans:1",)


def test_a_refuter_is_checked_as_well() -> None:
    said = Refutation(stance="supports", weight=1.0, reason="so", rows=("spans:77",))
    panel = {("a", "return"): {"spans": said}}

    report = synthesize({"logs": analysis("a", 3.0, "logs:1")}, panel, SIZES)  # type: ignore[arg-type]

    assert report.rejected == ("spans:77",)
    assert report.causes[0].score == 3.0  # what cites nothing that exists weighs nothing


def test_cannot_see_weighs_nothing() -> None:
    blind = Refutation(stance="cannot see", weight=5.0, reason="")
    analyses = {"logs": analysis("a", 3.0, "logs:1")}

    heard = synthesize(analyses, {("a", "return"): {"spans": blind}}, SIZES)

    assert heard == synthesize(analyses, {}, SIZES)


def test_what_is_contradicted_more_than_shown_is_no_cause() -> None:
    said = Refutation(stance="contradicts", weight=4.0, reason="no")
    panel = {("a", "return"): {"spans": said}}

    assert synthesize({"logs": analysis("a", 3.0, "logs:1")}, panel, SIZES).causes == ()  # type: ignore[arg-type]


def test_the_order_of_analyses_changes_nothing() -> None:
    parts = {
        "logs": analysis("a", 0.1, "logs:1"),
        "spans": analysis("a", 0.2, "spans:1"),
        "more": analysis("a", 0.3, "more:1"),
    }
    sizes = SIZES | {"more": 2}

    reports = [
        synthesize(dict(order), {}, sizes) for order in itertools.permutations(parts.items())
    ]

    assert all(report == reports[0] for report in reports)


def test_a_weak_cause_is_listed_and_not_named() -> None:
    weak = synthesize({"logs": analysis("a", 1.0, "logs:1")}, {}, SIZES, services=20)
    strong = synthesize({"logs": analysis("a", 6.0, "logs:1")}, {}, SIZES, services=20)

    assert [cause.service for cause in weak.causes] == ["a"]
    assert (weak.named, strong.named) == (False, True)


def test_two_alike_are_not_named() -> None:
    parts = {"logs": analysis("a", 6.0, "logs:1"), "spans": analysis("b", 6.0, "spans:1")}

    assert not synthesize(parts, {}, SIZES).named


def test_no_analyst_no_cause() -> None:
    report = synthesize({}, {}, {})

    assert (report.causes, report.named) == ((), False)


def test_kinds_of_fault_that_contend_are_all_shown_and_none_is_sure() -> None:
    """Spans may say that a service is slow, and logs that it errs: neither is to be hidden."""
    parts = {
        "logs": analysis("pay", 4.0, "logs:1", kind="return"),
        "spans": analysis("pay", 5.0, "spans:2", kind="cpu_consumed"),
    }

    report = synthesize(parts, {}, SIZES)

    (cause,) = report.causes
    assert (cause.kind, cause.means) == ("cpu_consumed", "its own code burns the processor")
    assert cause.kind_share == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert [(one.kind, one.rows) for one in cause.other_kinds] == [("return", ("logs:1",))]
    assert "speaks for return: a call returns the wrong thing" in report.conclusion


def test_the_shares_of_a_services_kinds_are_one_together() -> None:
    report = synthesize({"logs": analysis("pay", 4.0, "logs:1")}, {}, SIZES)

    assert report.causes[0].kind_share == 1.0
    assert "other_kinds" not in report.conclusion


@pytest.mark.parametrize(
    ("score", "against", "said"),
    [
        (6.0, 0.0, "a is the cause (0.95 of the belief); the kind of fault is return: a call"),
        (1.0, 0.0, "no cause is named; a is likeliest (0.12); the kind of fault is return"),
        (3.0, 4.0, "no cause is found: what was proposed, first return in a, is contradicted by"),
        (0.0, 0.0, "no cause is found: nothing at the incident stands out from the baseline"),
    ],
)
def test_the_conclusion_says_what_was_found_or_why_nothing(
    score: float, against: float, said: str
) -> None:
    heard = Refutation(stance="contradicts", weight=against, reason="no")
    panel: Panel = {("a", "return"): {"spans": heard}} if against else {}
    analyses = {"logs": analysis("a", score, "logs:1")} if score else {}

    report = synthesize(analyses, panel, SIZES, services=20)

    assert report.conclusion.startswith(said)
    assert [one.service for one in report.dismissed] == (["a"] if against else [])
