"""The hunt on a small system whose fault is known."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from outages import AT, look, outage

from commedia.patterns.recipes.root_cause.answers import FAULTS, Fault
from commedia.patterns.recipes.root_cause.describe import describe
from commedia.patterns.recipes.root_cause.digests import DIGEST, READ
from commedia.patterns.recipes.root_cause.evidence import Kind, Windows, normalise, number_rows
from commedia.patterns.recipes.root_cause.panel import analyse, refute
from commedia.patterns.recipes.root_cause.synthesis import hunt

Tables = dict[Kind, pa.Table]


def sizes(tables: Tables) -> dict[str, int]:
    return {kind: table.num_rows for kind, table in tables.items()}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("service", ["finch", "mole"])
def test_each_kind_of_fault_is_found_where_it_is(fault: Fault, service: str) -> None:
    tables = outage(fault, service)

    report = hunt(look(tables), sizes(tables))

    assert (report.causes[0].service, report.causes[0].kind) == (service, fault)
    assert report.named


def test_without_a_fault_nothing_is_named() -> None:
    tables = outage()

    assert not hunt(look(tables), sizes(tables)).named


def test_logs_that_show_nothing_do_not_hurt() -> None:
    tables = outage("network_delay", "mole")
    heard = look(tables)

    whole = hunt(heard, sizes(tables))
    rest = hunt([witness for witness in heard if witness.kind != "logs"], sizes(tables))

    assert whole.causes[0].service == rest.causes[0].service == "mole"


@pytest.mark.parametrize("fault", FAULTS)
def test_neither_a_rerun_nor_the_order_of_analysts_changes_the_report(fault: Fault) -> None:
    tables = outage(fault)
    heard = look(tables)

    report = hunt(heard, sizes(tables))

    assert report == hunt(look(tables), sizes(tables))
    assert report == hunt(heard[::-1], sizes(tables))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_cited_row_is_in_the_evidence_of_who_cites_it(fault: Fault) -> None:
    tables = outage(fault)

    for witness in look(tables):
        rows = set(tables[witness.kind]["row"].to_pylist())
        for candidate in analyse(witness).candidates:
            for reference in candidate.rows:
                name, _, row = reference.partition(":")
                assert name == witness.name
                assert int(row) in rows
    assert hunt(look(tables), sizes(tables)).rejected == ()


def test_who_cannot_see_a_service_weighs_nothing() -> None:
    tables = outage("return", "finch")
    logs, _, metrics = look(tables)

    answer = refute(metrics, analyse(logs).candidates[0])

    assert (answer.stance, answer.weight) == ("cannot see", 0.0)


def test_metrics_contradict_a_processor_that_is_idle() -> None:
    tables = outage("network_delay", "mole")
    _, spans, metrics = look(tables)
    busy = next(c for c in analyse(spans).candidates if c.kind == "cpu_contention")

    assert refute(metrics, busy).stance == "contradicts"


def test_a_description_fits_its_limit_and_cites_rows() -> None:
    for witness in look(outage("return", "finch")):
        for limit in (80, 400, 12_000):
            assert len(describe(witness, limit)) <= limit
    logs = look(outage("return", "finch"))[0]
    assert "[logs:" in describe(logs)


def test_an_analysis_says_what_it_cannot_show() -> None:
    tables = outage("return", "finch")
    lone = tables["spans"].filter(
        pa.array([s == "otter" for s in tables["spans"]["service"].to_pylist()])
    )

    spans = look({"spans": lone})[0]

    assert any("calls wait" in text for text in analyse(spans).unobserved)


def test_signs_are_read_side_by_side_without_a_warning() -> None:
    """What mutes a warning for the whole process is undone by whichever thread ends first."""
    digests = []
    for kind, table in outage("cpu_consumed", "mole").items():
        rows = normalise(kind, kind, table, Windows(AT))
        is_idle = pc.and_(pc.equal(rows["service"], "mole"), pc.less(rows["time"], -300.0))
        digests.append((kind, DIGEST[kind](rows.filter(pc.invert(is_idle)))))

    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        warnings.simplefilter("error")
        read = list(pool.map(lambda one: READ[one[0]](one[1]), digests * 20))

    assert len(read) == 60


def test_of_two_deploys_the_later_is_likelier() -> None:
    """What breaks at once is noticed at once."""
    columns = {
        "t_s": [-1860.0, -1020.0, -30.0],
        "service": ["early", "later", "last"],
        "message": ["v1", "v2", "v3"],
    }
    rows = normalise("deploys", "events", number_rows(pa.table(columns)), Windows(0.0))

    changed = READ["events"](DIGEST["events"](rows))["changed"]

    assert changed["last"].nats > changed["later"].nats > changed["early"].nats > 0
    assert changed["early"].note == "event 'v1', the last 31 min before"
