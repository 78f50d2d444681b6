"""A result says what it is: its keys, its order, and that it is simulated when it is."""

import dataclasses
import hashlib
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commedia.actors.tables import STANDING
from commedia.results import CONSENSUS, RankResult, counted, digest, ranking_table, with_provenance

KEYS = [
    *("status", "run_id", "model", "simulated", "ask", "n", "dropped", "calls", "tokens"),
    *("cost_usd", "priced_as", "rounds", "wall_s", "target", "stopped", "missing"),
    *("dead_letters", "unsettled", "persistent_share", "predicted_tau", "predicted_recall"),
    *("top", "judge", "truth", "output", "digest", "known"),
]

FRAME = pa.table({"text": ["<b>x</b>", "y\x1b[2J", "z"], "rank": [7, 8, 9], "id": ["p", "q", "r"]})
IN_ORDER = pa.RecordBatch.from_pydict(
    {
        "item": [2, 0],
        "score": [1.25, -1.25],
        "rank_low": [1.0, 1.0],
        "rank_high": [1.0, 2.0],
        "comparisons": [4, 5],
        "p_best": [0.9, 0.1],
        "scores": [None, None],
    },
    STANDING,
)
RESULT = RankResult(
    status="degraded",
    run_id="20261125-abc",
    model="sim:judge",
    simulated=True,
    ask="list:10",
    n=2,
    dropped=1,
    calls=1_378,
    tokens=4_100_000,
    cost_usd=4.5,
    priced_as="claude-haiku-5-5",
    rounds=6,
    wall_s=2.25,
    target=0.9,
    stopped="budget",
    missing={"timeout": 3, "refused": 2},
    dead_letters=["q"],
    unsettled=[],
    persistent_share=0.5,
    predicted_tau=0.87,
    predicted_recall=None,
    top=None,
    judge=None,
    truth={"tau_b": 0.85, "tau_b_cap": 0.949, "recall_at_10": 0.8, "ndcg_at_10": 0.97},
    output="/runs/20261125-abc/ranking.parquet",
    digest="d" * 64,
    notes=("all \x1bequal",),
    table=ranking_table(FRAME, ["p", "q", "r"], IN_ORDER),
)


def test_the_table_holds_the_standing_and_then_the_input() -> None:
    assert RESULT.to_arrow().to_pydict() == {
        "rank": [1, 2],
        "id": ["r", "p"],
        "score": [1.25, -1.25],
        "rank_low": [1.0, 1.0],
        "rank_high": [1.0, 2.0],
        "comparisons": [4, 5],
        "text": ["z", "<b>x</b>"],
        "rank_input": [9, 7],
        "id_input": ["r", "p"],
    }
    assert RESULT.to_pandas().shape == (2, 9)


def test_a_suffixed_name_that_is_taken_gets_another_suffix() -> None:
    frame = pa.table({"id": [1], "id_input": [2], "id_input_input": [3]})

    table = ranking_table(frame, ["x"], IN_ORDER.slice(1, 1))

    assert table.column_names[6:] == ["id_input_input_input", "id_input", "id_input_input"]
    assert table["id_input"].to_pylist() == [2]


def test_an_empty_standing_gives_no_rows() -> None:
    table = ranking_table(FRAME, ["p", "q", "r"], IN_ORDER.slice(0, 0))

    assert table.num_rows == 0
    assert table.column_names == RESULT.table.column_names


def test_json_has_the_promised_keys_in_their_order() -> None:
    account = RESULT.to_json()

    assert list(account) == KEYS
    assert json.loads(json.dumps(account, allow_nan=False)) == account
    assert account["dead_letters"] == ["q"]


def test_json_says_null_for_what_is_unknown() -> None:
    unknown = dataclasses.replace(
        RESULT, cost_usd=None, predicted_tau=math.nan, truth={"tau_b": math.nan}
    ).to_json()

    assert (unknown["cost_usd"], unknown["predicted_tau"]) == (None, None)
    assert unknown["truth"] == {"tau_b": None}
    json.dumps(unknown, allow_nan=False)


def test_the_summary_says_all_that_matters() -> None:
    text = "\n".join(RESULT.lines())

    for part in (
        "degraded: 2 rows ranked, 1 left out",
        "1,378 calls of list:10 in 6 rounds",
        "4,100,000 tokens",
        "$4.5000 (priced as claude-haiku-5-5)",
        "the budget allows no more calls",
        f"predicted tau 0.870 (target 0.9), which is {CONSENSUS}",
        "tau-b 0.850 (its ties allow 0.949), top-10 recall 0.80, NDCG@10 0.97",
        "3 timeout, 2 refused",
        "dead letters: q",
        "note: all ␛equal",
        "/runs/20261125-abc/ranking.parquet",
    ):
        assert part in text


def test_what_was_never_asked_is_no_missing_answer() -> None:
    lines = dataclasses.replace(RESULT, missing={"timeout": 3, "over_budget": 40}).lines()

    assert "missing answers: 3 timeout" in lines
    assert "never asked, or taken back: 40 over_budget" in lines


@pytest.mark.parametrize(("count", "said"), [(0, "0 rows"), (1, "1 row"), (2000, "2,000 rows")])
def test_things_are_counted_in_words(count: int, said: str) -> None:
    assert counted(count, "row") == said


def test_a_simulated_result_says_so_first_and_last_and_a_real_one_never() -> None:
    real = dataclasses.replace(RESULT, simulated=False, model="claude-haiku-5-5")

    assert all(line.startswith("simulated") for line in (RESULT.lines()[0], RESULT.lines()[-1]))
    assert "simulated" not in "\n".join(real.lines())
    assert "simulated" not in real._repr_html_()


def test_a_result_that_knows_nothing_can_still_be_told() -> None:
    bare = dataclasses.replace(
        RESULT,
        status="failed",
        cost_usd=None,
        priced_as=None,
        stopped=None,
        missing={},
        dead_letters=[],
        unsettled=[],
        predicted_tau=None,
        truth={"tau_b": None},
        output=None,
        notes=(),
        table=pa.table({}),
    )

    assert "cost unknown" in "\n".join(bare.lines())
    assert "nothing to compare" in "\n".join(bare.lines())
    assert bare._repr_html_().startswith("<div>")


def test_html_is_inert_and_short() -> None:
    rows = pa.array(np.zeros(500, np.int64))
    html = dataclasses.replace(RESULT, table=RESULT.table.slice(1).take(rows))._repr_html_()

    assert "<b>" not in html and "&lt;b&gt;x&lt;/b&gt;" in html
    assert "\x1b" not in html
    assert html.count("<tr>") == 21
    assert html.index("simulated") < html.index("<table>") < html.rindex("simulated")
    assert CONSENSUS.replace("'", "&#39;") in html


def test_parquet_metadata_says_where_it_comes_from() -> None:
    table = with_provenance(RESULT.table, run_id="r", model="sim:judge", simulated=True)

    assert table.schema.metadata == {
        b"commedia.simulated": b"true",
        b"commedia.run_id": b"r",
        b"commedia.model": b"sim:judge",
    }
    assert table.equals(RESULT.table)


IDS = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), unique=True, max_size=6)


@given(IDS, st.data())
def test_the_digest_covers_ids_and_scores_in_order(ids: list[str], data: st.DataObject) -> None:
    scores = data.draw(
        st.lists(st.floats(-9, 9), min_size=len(ids), max_size=len(ids)), label="scores"
    )
    known = digest(ids, scores)

    assert known == digest(ids, [score + 1e-13 for score in map(_rounded, scores)])
    if ids:
        assert known != digest(ids, [scores[0] + 1e-6, *scores[1:]])
        assert known != digest(["other-one", *ids[1:]], scores)
    if len(ids) > 1:
        assert known != digest([ids[1], ids[0], *ids[2:]], scores)


def _rounded(score: float) -> float:
    return round(score, 9)


def test_the_digest_does_not_tell_zeros_apart() -> None:
    assert digest(["a"], [0.0]) == digest(["a"], [-0.0]) == digest(["a"], [-1e-12])
    assert len(digest([], [])) == len(hashlib.sha256().hexdigest())


@pytest.mark.parametrize("name", ["table", "notes"])
def test_the_account_leaves_the_table_out(name: str) -> None:
    assert name not in RESULT.to_json()
