"""`commedia sort` checks everything first, writes whole files, and says what it did."""

import csv
import dataclasses
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from commedia.cli.main import run
from commedia.cli.progress import ProgressView
from commedia.cli.sort import SortOptions, deliver
from commedia.inputs import prepare
from commedia.results import RankResult, ranking_table

TABLE = "key,title,report,severity\na,Smoke,It burns,9\nb,Typo,In the footer,1\nc,Slow,Very,5\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a table, a home for runs, and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMMEDIA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    (tmp_path / "bugs.csv").write_text(TABLE)
    (tmp_path / "latin.csv").write_bytes(b"a\nM\xfcller\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "long.csv").write_text("a\n" + "x" * 100_001 + "\n")
    (tmp_path / "nulls.jsonl").write_text('{"a": "x"}\n{"a": null}\n')
    (tmp_path / "folder").mkdir()
    return tmp_path


INLINE = ["--by", "severity", "--runtime", "inline"]
GOOD = ["bugs.csv", "--text", "report", "--truth", "severity"]
BAD_USAGE: dict[str, tuple[list[str], str]] = {
    "missing file": (["nowhere.csv"], "there is no file nowhere.csv"),
    "empty file": (["empty.csv"], "empty.csv is empty"),
    "folder": (["folder"], "folder is a folder"),
    "not UTF-8": (["latin.csv"], "byte 0xfc on line 2"),
    "long cell": (["long.csv"], "100,001 characters"),
    "null text": (["nulls.jsonl"], "row 1 (counted from 0) has no text"),
    "which text": (["bugs.csv", "--id", "key"], "several text columns, 'title', 'report'"),
    "unknown column": (["bugs.csv", "--text", "body"], "no column 'body'"),
    "unknown id": ([*GOOD, "--id", "no"], "no column 'no' to use as id"),
    "unknown truth": (["bugs.csv", "--text", "title", "--truth", "no"], "no column 'no'"),
    "words as truth": (
        ["bugs.csv", "--text", "title", "--truth", "title"],
        "is no number in row 0",
    ),
    "attribute access": (["bugs.csv", "--text", "{title.__class__}"], "reaches into a value"),
    "blank by": ([*GOOD, "--by", " "], "it is blank"),
    "accuracy 1.5": ([*GOOD, "--accuracy", "1.5"], "1.5 is not between 0.5 and 1"),
    "accuracy nan": ([*GOOD, "--accuracy", "nan"], "nan is not between 0.5 and 1"),
    "accuracy half": ([*GOOD, "--accuracy", "0.5"], "0.5 is not between 0.5 and 1"),
    "target 1": ([*GOOD, "--target", "1"], "1 is not between 0 and 1"),
    "hosts 0": ([*GOOD, "--hosts", "0"], "0 is not in the range x>=1"),
    "in flight 0": ([*GOOD, "--in-flight", "0"], "0 is not in the range x>=1"),
    "seed": ([*GOOD, "--seed", "x"], "'x' is not a valid integer"),
    "runtime": ([*GOOD, "--runtime", "dask"], "'dask' is not one of"),
    "ask": ([*GOOD, "--ask", "list:1"], "question 'list:1' is none of"),
    "accuracy of a record": (
        ["bugs.csv", "--text", "title", "--model", "recorded:x", "--accuracy", "0.7"],
        "--accuracy is a simulated judge's",
    ),
    "misspelt judge": ([*GOOD, "--model", "sim:jugde"], "do you mean sim:judge? there are sim:"),
    "focus on all": ([*GOOD, "--focus", "top:100%"], "the whole order, which needs no --focus"),
    "budget": ([*GOOD, "--budget", "5m"], "budget '5m'"),
    "unknown model": ([*GOOD, "--model", "gpt-9"], "there is no model 'gpt-9'"),
    "no model, no truth": (["bugs.csv", "--text", "title"], "no model to ask"),
    "no key": (["bugs.csv", "--text", "title", "--model", "claude-haiku-5-5"], "needs a key"),
    "extension": ([*GOOD, "-o", "out.txt"], "out.txt has no known extension"),
    "no folder": ([*GOOD, "-o", "no/out.csv"], "there is no folder no"),
    "output is a folder": ([*GOOD, "-o", "folder"], "no known extension"),
    "output is the input": ([*GOOD, "-o", "bugs.csv"], "bugs.csv is the input itself"),
}


@pytest.mark.parametrize("case", BAD_USAGE)
def test_bad_usage_is_one_sentence_before_anything_runs(
    folder: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, sentence = BAD_USAGE[case]
    before = sorted(folder.rglob("*"))

    code = run(["sort", *INLINE, *arguments])

    out, err = capsys.readouterr()
    assert code == 2
    assert sentence in err
    assert err.startswith("commedia: ") and err.count("\n") == 1 and len(err) < 500
    assert out == ""
    assert sorted(folder.rglob("*")) == before


def in_process_of_its_own(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run *command* in a shell, where `commedia` is this one."""
    ours = f"{sys.executable} -c 'from commedia.cli.main import main; main()'"
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command.replace("commedia ", f"{ours} ")],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def test_json_is_one_object_and_nothing_else(folder: Path) -> None:
    sort = " ".join(["commedia sort", *GOOD, *INLINE, "--json -q"])

    done = in_process_of_its_own(folder, sort)

    account = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (account["status"], account["n"], account["simulated"]) == ("completed", 3, True)
    assert pq.read_table(account["output"]).num_rows == 3
    assert done.stderr.startswith("simulated") and done.stderr.count("\n") == 1


def test_a_full_disk_is_named_with_what_is_kept_elsewhere(folder: Path) -> None:
    sort = " ".join(["commedia sort", *GOOD, *INLINE, "-q"])

    printed = in_process_of_its_own(folder, f"{sort} > /dev/full")
    kept = in_process_of_its_own(folder, f"ulimit -f 1; {sort}")

    assert printed.returncode == kept.returncode == 1
    assert "standard output could not be written (No space left on device)" in printed.stderr
    assert "the ranking is in" in printed.stderr
    assert f"refused {folder / 'home' / 'runs'}" in kept.stderr
    assert "File too large; make room there" in kept.stderr


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    rows = "\n".join(f"row {i} {'x' * 5_000},{i}" for i in range(60))
    (folder / "many.csv").write_text("t,s\n" + rows + "\n")
    sort = " ".join(["commedia sort many.csv --truth s -q", *INLINE, "| head -1"])

    done = in_process_of_its_own(folder, sort)

    assert done.returncode == 0
    assert done.stdout.startswith("rank,id,score")
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_run_that_is_stopped_leaves_no_half_output(
    folder: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C keeps the ranking so far in the run folder; SIGTERM just leaves in good order."""
    rows = "\n".join(f"row {i},{i}" for i in range(10_000))
    (folder / "many.csv").write_text("t,s\n" + rows + "\n")
    arguments = ["sort", "many.csv", "--truth", "s", "--ask", "pair", "--json", "-o", "out.csv"]
    main = [sys.executable, "-c", "from commedia.cli.main import main; main()"]
    with subprocess.Popen(
        [*main, *arguments, *INLINE],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        next(line for line in process.stderr if line.startswith("Round 1"))
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert not list(folder.glob("*out.csv*"))
    if number == signal.SIGINT:
        account = json.loads(out)
        assert account["status"] == "interrupted"
        assert "Traceback" not in err
        assert pq.read_table(account["output"]).num_rows == 10_000


def test_in_a_pipe_the_ranking_is_csv_and_the_summary_stands_apart(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["sort", *GOOD, *INLINE, "--id", "key"])

    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert code == 0
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert list(rows[0])[:6] == ["rank", "id", "score", "rank_low", "rank_high", "comparisons"]
    assert sorted(row["id"] for row in rows) == ["a", "b", "c"]
    lines = err.splitlines()
    assert lines[0].startswith("simulated") and lines[-1].startswith("simulated")
    assert "not with the truth" in err


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_an_output_file_is_named_and_stdout_stays_empty(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["sort", *GOOD, *INLINE, "-o", name])

    out, err = capsys.readouterr()
    assert (code, out) == (0, "")
    assert f"ranking: {name}" in err
    assert [file.name for file in folder.glob("*out*")] == [name]
    if name == "out.parquet":
        assert pq.read_schema(folder / name).metadata[b"commedia.simulated"] == b"true"


def test_hostile_text_reaches_no_terminal_and_no_spreadsheet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"t": "=1+1", "s": 1}, {"t": "\x1b[2J\u202e", "s": 2}, {"t": "</item>{t}", "s": 3}]
    (folder / "bad.jsonl").write_text("\n".join(map(json.dumps, rows)))

    code = run(["sort", "bad.jsonl", "--text", "t", "--truth", "s", "--id", "t", *INLINE])

    out, err = capsys.readouterr()
    assert code == 0
    assert "\x1b" not in err
    assert ",=1+1" not in out and ",'=1+1," in out


@pytest.mark.parametrize(("rows", "n"), [("only,1\n", 1), ("same,1\n" * 4, 4)])
def test_one_row_and_equal_rows_are_no_error(
    folder: Path, rows: str, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "few.csv").write_text("t,s\n" + rows)

    code = run(["sort", "few.csv", "--truth", "s", *INLINE])

    out, err = capsys.readouterr()
    assert (code, len(out.splitlines())) == (0, n + 1)
    assert n > 1 or "note:" in err


def test_rows_without_a_truth_leave_before_the_start(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "some.csv").write_text("t,s\nx,1\ny,\nz,3\n")

    code = run(["sort", "some.csv", "--truth", "s", "--json", *INLINE])

    account = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (account["n"], account["dropped"], account["missing"]) == (2, 1, {})


FRAME = pa.table({"t": ["x", "y"]})
STANDING = pa.RecordBatch.from_pydict(
    {
        "item": np.array([1, 0], np.int32),
        "score": [1.0, -1.0],
        "rank_low": [1.0, 1.0],
        "rank_high": [2.0, 2.0],
        "comparisons": np.array([1, 1], np.int32),
    }
)
RESULT = RankResult(
    status="completed",
    run_id="r1",
    model="claude-haiku-5-5",
    simulated=False,
    ask="pair",
    n=2,
    dropped=0,
    calls=1,
    tokens=100,
    cost_usd=0.1,
    priced_as=None,
    rounds=1,
    wall_s=0.1,
    target=0.9,
    stopped="target",
    missing={},
    dead_letters=[],
    unsettled=[],
    persistent_share=None,
    predicted_tau=0.95,
    predicted_recall=None,
    top=None,
    judge=None,
    truth=None,
    output="/runs/r1/ranking.parquet",
    digest="0" * 64,
    notes=(),
    table=ranking_table(FRAME, ["0", "1"], STANDING),
)
OPTIONS = SortOptions(
    source="-",
    by="size",
    text=None,
    id=None,
    truth=None,
    model=(),
    rubric=None,
    base_url=None,
    accuracy=0.85,
    ask="auto",
    target=0.9,
    top=None,
    wide=False,
    focus=None,
    since=None,
    keep_judge=False,
    reasons=False,
    method=None,
    votes=None,
    budget=(),
    yes=False,
    seed=0,
    runtime="inline",
    address=None,
    hosts=None,
    in_flight=64,
    batch_rows=None,
    output=None,
    as_json=False,
    quiet=False,
)


def delivered(result: RankResult, options: SortOptions) -> tuple[int, str, str]:
    """Deliver *result*; return the exit code, what stdout got and what stderr got."""
    out, err = io.StringIO(), io.StringIO()
    view = ProgressView(quiet=options.quiet, console=Console(file=err))
    code = deliver(result, options, prepare(FRAME), view, out)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("status", "code", "is_written"),
    [
        ("completed", 0, True),
        ("degraded", 3, True),
        ("failed", 1, False),
        ("interrupted", 130, False),
    ],
)
def test_the_exit_code_tells_the_status(
    tmp_path: Path, status: str, code: int, is_written: bool
) -> None:
    result = dataclasses.replace(RESULT, status=status)  # type: ignore[arg-type]
    output = tmp_path / "out.csv"

    printed = delivered(result, OPTIONS)
    written = delivered(result, dataclasses.replace(OPTIONS, output=str(output)))

    assert printed[0] == written[0] == code
    assert printed[1].startswith("rank,id") == is_written
    assert output.exists() == is_written
    assert "ranking: /runs/r1/ranking.parquet" in printed[2]


def test_quiet_says_nothing_of_a_real_run_that_went_well() -> None:
    quiet = dataclasses.replace(OPTIONS, quiet=True)
    degraded = dataclasses.replace(RESULT, status="degraded")
    simulated = dataclasses.replace(RESULT, simulated=True)

    assert delivered(RESULT, quiet)[2] == ""
    assert delivered(degraded, quiet)[2].startswith("degraded: ")
    assert delivered(simulated, quiet)[2].startswith("simulated")


def test_a_paid_ranking_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    lost = str(tmp_path / "gone" / "out.csv")
    options = dataclasses.replace(OPTIONS, output=lost, as_json=True)

    code, out, err = delivered(RESULT, options)

    assert code == 1
    assert err.startswith(f"commedia: {lost} could not be written (No such file or directory)")
    assert "the ranking is in /runs/r1/ranking.parquet" in err.splitlines()[0]
    assert json.loads(out)["output"] == "/runs/r1/ranking.parquet"


def test_json_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    output = str(tmp_path / "out.csv")

    _, out, _ = delivered(RESULT, dataclasses.replace(OPTIONS, output=output, as_json=True))

    assert json.loads(out)["output"] == output
