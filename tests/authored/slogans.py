from typing import Literal

from commedia import Preference, Run, workflow
from commedia.patterns import fan_out, rank, synthesize, verify_adversarially


@workflow
async def slogans(run: Run, product: str, angles: list[str], count: int = 2) -> dict:
    """Propose slogans from several angles, refute, rank, and combine."""
    with run.phase("Ideas"):
        ideas = await fan_out(run, [f"A slogan for {product}, about {a}." for a in angles])
    with run.phase("Refute"):
        kept = await verify_adversarially(run, ideas, "It is true and not offensive.", votes=2)
    tone = await run.work(f"The tone of {product}?", output=Literal["funny", "sober"], label="tone")
    with run.phase("Rank"):
        slogans = list(kept or ideas)
        ranked = await rank(run, slogans, "how memorable it is")
    best = await synthesize(run, kept or ideas, f"One {tone} slogan.")
    top = [slogans[k] for k in ranked.order[:count]]
    return {"tone": tone, "best": best, "top": top}


def scripted(request):
    if request["role"] == "verifier":
        return {"verdict": "upheld", "reason": "fine", "evidence": []}
    if request["role"] == "judge":
        return Preference(order=tuple(range(len(request["items"]))))
    if request["task"] == "synthesize":
        return {"answer": "one slogan", "used": []}
    if request["output_schema"]:
        return {"value": "funny"}
    return "one good slogan: " + request["prompt"][-30:]
