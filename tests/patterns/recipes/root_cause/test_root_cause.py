"""The hunt as a workflow: files in, a report out, on code, on simulated readers, and resumed."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from outages import AT, outage

from commedia.cli.main import run as commedia
from commedia.patterns.recipes.root_cause.answers import Report
from commedia.patterns.recipes.root_cause.workflow import root_cause
from commedia.session import Session
from commedia.supervisor.store import list_runs

EMPTY = ("logs.parquet", None)
"""A table with columns, and without rows."""


@pytest.fixture
def evidence(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    def write(fault: str, service: str, *, ending: str = ".parquet") -> dict[str, Path]:
        paths = {}
        for name, table in outage(fault, service).items():
            paths[str(name)] = path = tmp_path / f"{name}{ending}"
            plain = table.drop_columns(["row"])
            if ending == ".parquet":
                pq.write_table(plain, path)
            elif ending == ".csv":
                pa.csv.write_csv(plain, path)
            else:
                path.write_text("".join(json.dumps(r) + "\n" for r in plain.to_pylist()))
        return paths

    return write


def hunted(paths: dict[str, Path], model: Any = None, **options: Any) -> Report:
    with Session(model=model, runtime="inline", **options) as session:
        report = session.run(root_cause, incident="It is slow.", evidence=paths, at=str(AT)).value
    assert isinstance(report, Report)
    return report


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_a_cause_is_found_in_files_of_any_kind(
    ending: str, evidence: Callable[..., dict[str, Path]]
) -> None:
    report = hunted(evidence("cpu_consumed", "mole", ending=ending))

    assert (report.named, report.causes[0].service, report.causes[0].kind) == (
        True,
        "mole",
        "cpu_consumed",
    )
    assert report.causes[0].rows


def test_a_hunt_without_a_model_may_be_given_dollars(
    evidence: Callable[..., dict[str, Path]],
) -> None:
    """It spends none."""
    assert hunted(evidence("exception", "finch"), budget="1usd").named


def test_names_of_evidence_are_the_users_own(evidence: Callable[..., dict[str, Path]]) -> None:
    paths = evidence("exception", "finch")
    renamed = {"app": paths["logs"], "jaeger": paths["spans"], "prom": paths["metrics"]}

    report = hunted(renamed)

    assert report.causes[0].service == "finch"
    assert {row.split(":")[0] for row in report.causes[0].rows} <= {"app", "jaeger", "prom"}


def test_simulated_readers_answer_in_closed_values_and_cite_rows_that_exist(
    evidence: Callable[..., dict[str, Path]],
) -> None:
    report = hunted(evidence("return", "mole"), "sim:ideal")

    assert report.rejected == ()
    assert {cause.service for cause in report.causes} <= {"otter", "finch", "mole", "wren"}


def test_a_services_name_stands_in_the_fence_only(
    evidence: Callable[..., dict[str, Path]],
) -> None:
    """It is evidence, which anybody may have written."""
    asked: list[Any] = []

    def model(row: Any) -> Any:
        asked.append(row)
        one = {"service": 1, "kind": "return", "nats": 9, "false_alarm_rate": 0, "rows": [0]}
        if "candidates" in row["output_schema"]:
            return {"observed": [], "unobserved": [], "candidates": [one]}
        return {"stance": "supports", "nats": 1, "rows": [0]}

    report = hunted(evidence("return", "mole"), model)

    assert report.causes[0].service in ("otter", "finch", "mole", "wren")
    for row in asked:
        orders = re.sub(r"<untrusted>.*</untrusted>", "", row["prompt"], flags=re.DOTALL)
        assert not re.search("otter|finch|mole|wren", orders + row["output_schema"])


def test_a_row_that_does_not_exist_is_rejected_by_code(
    evidence: Callable[..., dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is held to rows that exist; what slips through all the same is no evidence."""
    from commedia.patterns.recipes.root_cause import models

    monkeypatch.setattr(
        models,
        "_rows",
        lambda rows: models._list({"type": "integer", "minimum": 0, "maximum": 10**9}, 3),
    )

    def liar(row: Any) -> Any:
        if "candidates" not in row["output_schema"]:
            return {"stance": "cannot see", "nats": 0, "rows": []}
        one = {"service": 0, "kind": "return", "nats": 9, "false_alarm_rate": 0}
        return {"observed": [], "unobserved": [], "candidates": [{**one, "rows": [10**8]}]}

    report = hunted(evidence("return", "mole"), liar)

    assert report.causes == ()
    assert len(report.rejected) == 3


def test_evidence_that_says_nothing_is_left_out_and_the_rest_decides(
    evidence: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    paths = evidence("network_delay", "finch")
    late = tmp_path / "late.csv"
    late.write_text("t_s,service,message\n99999,finch,too late\n")

    with pytest.warns(UserWarning, match="1 branch failed"):
        report = hunted({**paths, "logs": late})

    assert report.causes[0].service == "finch"
    assert report.left_out.keys() == {"logs"}
    assert "'logs' has no rows in the incident window" in report.left_out["logs"]


def test_metrics_that_are_not_read_are_left_out_by_name(
    evidence: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    paths = {**evidence("network_delay", "finch"), "metrics": tmp_path / "mem.csv"}
    rows = "".join(f"{time},finch,memory,{time}\n" for time in range(0, int(AT) + 60, 30))
    paths["metrics"].write_text(f"time,service,metric,value\n{rows}")

    with pytest.warns(UserWarning, match="1 branch failed"):
        report = hunted(paths)

    assert "'metrics' has no metric of a service's processor" in report.left_out["metrics"]
    assert report.left_out["metrics"].endswith("it has memory")


@pytest.mark.parametrize(
    ("file", "text"),
    [("logs.csv", ""), ("logs.csv", "t_s,service,message\n"), ("logs.jsonl", "\n"), EMPTY],
)
def test_evidence_without_rows_is_left_out_and_the_run_says_so(
    file: str, text: str | None, evidence: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    """A quiet service logs nothing."""
    paths = {**evidence("network_delay", "finch"), "logs": tmp_path / file}
    if text is None:
        pq.write_table(pq.read_table(tmp_path / "spans.parquet").slice(0, 0), paths["logs"])
    else:
        paths["logs"].write_text(text)

    with Session(runtime="inline") as session:
        result = session.run(root_cause, incident="slow", evidence=paths, at=str(AT))

    assert result.status == "degraded"
    assert any("evidence 'logs' has no rows" in note for note in result.notes)
    with pytest.warns(UserWarning, match="degraded"):
        report = result.value
    assert report.left_out == {"logs": "evidence 'logs' has no rows"}
    assert report.causes[0].service == "finch"


def test_one_deploy_just_before_is_heard(
    evidence: Callable[..., dict[str, Path]], tmp_path: Path
) -> None:
    """Earlier deploys may be none, or few: each hour without one is a baseline of zero."""
    paths = evidence("cpu_consumed", "mole")
    for earlier in ("", f"{AT - 50_000},otter,v1\n{AT - 90_000},finch,v0\n"):
        deploys = tmp_path / "deploys.csv"
        deploys.write_text(f"time,service,message\n{AT - 120},mole,v2\n{earlier}")

        report = hunted({**paths, "deploys": deploys})

        assert report.left_out == {}
        assert report.causes[0].service == "mole"
        assert "deploys:0" in report.causes[0].rows


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("nothing.parquet", "'logs' is not there: /"),
        ("notes.txt", "'logs' is a .txt file, not .parquet, .csv or .jsonl: /"),
        ("table.csv", "'logs' has no column for time, only service, message"),
    ],
)
def test_evidence_that_cannot_be_used_is_bad_input(
    file: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("hello")
    Path("table.csv").write_text("service,message\na,b\n")
    hunt = ["run", "root_cause", "--incident", "p99 doubled", "--at", "0"]

    assert commedia([*hunt, "--evidence", f"logs={file}"]) == 2
    assert f"commedia: evidence {said}" in capsys.readouterr().err
    assert list_runs() == []


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"--at": "whenever"}, 2, "--at 'whenever' is no time"),
        ({"--at": "nan"}, 2, "--at 'nan' is no time"),
        ({"--baseline": "monday"}, 2, "--baseline 'monday' is no span of time; write it as FROM"),
        ({"--baseline": "900/300"}, 2, "--baseline '900/300' ends before it begins"),
        ({"--horizon-s": "-5"}, 2, "'--horizon-s': '-5' does not fit"),
        (
            {"--at": "10"},
            1,
            "in the baseline window; its times are 0 to 1431.5; check --at and --ba",
        ),
        ({"--at": "1e9"}, 1, "in the incident window; its times are 0 to 1431.5; check --at"),
        ({"--baseline": "5000/6000"}, 1, "in the baseline window"),
        ({"--evidence": "logs=none.csv"}, 1, "no evidence can be used: evidence 'logs' has no row"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    change: dict[str, str],
    code: int,
    sentence: str,
    evidence: Callable[..., dict[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evidence("return", "mole")
    monkeypatch.chdir(tmp_path)
    Path("none.csv").touch()
    options = {"--incident": "slow", "--evidence": "logs=logs.parquet", "--at": str(AT), **change}
    line = [word for pair in options.items() for word in pair]

    assert commedia(["run", "--runtime", "inline", "root_cause", *line]) == code
    shown = capsys.readouterr().err
    assert sentence in shown
    assert shown.strip().splitlines()[-1].startswith("failed: " if code == 1 else "commedia: ")
