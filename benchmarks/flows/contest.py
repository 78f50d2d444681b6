"""A tournament inside a workflow: ideas are written, ranked, and the best one is worked out."""

from functools import partial

from ...patterns.tournament import rank
from ...supervisor.run import Run
from ...supervisor.workflow import workflow


@workflow
async def contest(run: Run, ideas: int = 20) -> dict[str, list[str] | str | bool]:
    """Write ideas, rank them, compare the two best once more, and work out the winner."""
    with run.phase("Write"):
        written = await run.parallel(
            [partial(run.work, f"Write idea {number} in one line.") for number in range(ideas)]
        )
    texts = [idea or "" for idea in written]
    with run.phase("Rank"):
        ranked = await rank(run, texts, "promise", target=0.8)
    best = [texts[place] for place in ranked.order]
    final = await run.judge(best[0], best[1], "promise")
    winner = best[0] if (final.grade or 0) >= 0 else best[1]
    with run.phase("Work out"):
        plan = await run.work(f"Work this out: {winner}")
    return {"best": best[:10], "plan": plan, "turned": winner != best[0]}
