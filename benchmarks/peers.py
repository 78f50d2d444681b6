"""Others' fan-outs on the same model: each in a process, and in an environment of its own.

`make peers` makes that environment. The code here is run in it, after the text of `ruler.py`; what
it needs to know is the JSON in its first argument.
"""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
READY: Final = ROOT / ".venv-peers" / ".ready"

_BEGIN: Final = """
import asyncio, operator, sys
given = json.loads(sys.argv[1])
prompts = [f"Question {n}?" for n in range(given["agents"])]
"""

_NO_OP: Final = """
async def model(prompt):
    return "yes"
"""

_LANGGRAPH: Final = """
from typing import Annotated, TypedDict
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
class State(TypedDict):
    prompts: list[str]
    answers: Annotated[list[str], operator.add]
class One(TypedDict):
    prompt: str
async def agent(one: One):
    return {"answers": [await model(one["prompt"])]}
def sends(state: State):
    return [Send("agent", {"prompt": prompt}) for prompt in state["prompts"]]
building = StateGraph(State)
building.add_node("agent", agent)
building.add_conditional_edges(START, sends, ["agent"])
building.add_edge("agent", END)
graph = building.compile()
async def fan_out(prompts):
    asked = {"prompts": prompts, "answers": []}
    answers = (await graph.ainvoke(asked, {"max_concurrency": given.get("in_flight")}))["answers"]
    assert len(answers) == len(prompts)
"""

_AUTOGEN: Final = """
from dataclasses import dataclass
from autogen_core import (
    AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler
)
@dataclass
class Ask:
    prompt: str
@dataclass
class Answer:
    text: str
class Agent(RoutedAgent):
    def __init__(self):
        super().__init__("an agent")
    @message_handler
    async def on_ask(self, message: Ask, ctx: MessageContext) -> Answer:
        return Answer(await model(message.prompt))
async def fan_out(prompts):
    runtime = SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", Agent)
    runtime.start()
    asking = [
        runtime.send_message(Ask(prompt), AgentId("agent", str(n)))
        for n, prompt in enumerate(prompts)
    ]
    answers = await asyncio.gather(*asking)
    await runtime.stop_when_idle()
    await runtime.close()
    assert len(answers) == len(prompts)
"""

_SDK: Final = """
import anthropic
slots = asyncio.Semaphore(given["in_flight"])
def client(http_client=None):
    return anthropic.AsyncAnthropic(
        base_url=given["url"], api_key="none", max_retries=0, http_client=http_client
    )
async def model(prompt):
    async with slots:
        said = await sdk.messages.create(
            model="claude-haiku-5-5",
            max_tokens=4096,
            messages=[{"role": "user", "content": prompt}],
        )
    return said.content[0].text
async def close():
    await sdk.close()
"""

_HTTPX: Final = """
sdk = client()
"""

_AIOHTTP: Final = """
import httpx2
limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)
sdk = client(anthropic.DefaultAioHttpClient(limits=limits))
"""

_LANGCHAIN: Final = """
from langchain_anthropic import ChatAnthropic
chat = ChatAnthropic(
    model="claude-haiku-5-5", base_url=given["url"], api_key="none", max_retries=0, max_tokens=4096
)
async def model(prompt):
    return (await chat.ainvoke(prompt)).content
async def close():
    pass
"""

_PLAIN: Final = """
async def fan_out(prompts):
    assert all(await asyncio.gather(*map(model, prompts)))
"""

_ONCE: Final = """
asyncio.run(fan_out(prompts[:100]))
ruler = Ruler()
asyncio.run(fan_out(prompts))
ruler.tell(len(prompts))
"""

_CONNECTED: Final = """
async def main():
    await fan_out(prompts[: given["in_flight"]])
    ruler = Ruler()
    await fan_out(prompts)
    ruler.tell(len(prompts))
    await close()
asyncio.run(main())
"""

IN_PROCESS: Final = {
    "LangGraph": (_BEGIN, _NO_OP, _LANGGRAPH, _ONCE),
    "autogen-core": (_BEGIN, _NO_OP, _AUTOGEN, _ONCE),
}
"""A fan-out on a model that returns a constant."""

OVER_HTTP: Final = {
    "the SDK, httpx2": (_BEGIN, _SDK, _HTTPX, _PLAIN, _CONNECTED),
    "the SDK, aiohttp": (_BEGIN, _SDK, _AIOHTTP, _PLAIN, _CONNECTED),
    "LangGraph, httpx2": (_BEGIN, _LANGCHAIN, _LANGGRAPH, _CONNECTED),
    "autogen-core, aiohttp": (_BEGIN, _SDK, _AIOHTTP, _AUTOGEN, _CONNECTED),
}
"""A fan-out over HTTP, from connections that are open. autogen-core has no client of its own."""


def code_of(parts: tuple[str, ...]) -> str:
    """Return *parts* as a program."""
    return "".join(((Path(__file__).parent / "ruler.py").read_text(), *parts))
