"""Ray as it comes: one call, and one task, for each comparison. Run with ours, in one process.

The text is a program: it starts a session's Ray, measures Ray there, and hands over to `planes`.
"""

from typing import Final

PROGRAM: Final = """
import asyncio, json, os, sys, time
from commedia.actors.imports import spare_pandas
from commedia.benchmarks import planes
from commedia.supervisor.runtime import ray_runtime

spare_pandas()
ray_runtime.start_ray()
import ray

WINDOW = 64

def compare(left, right):
    return 1 if left > right else -1

class Judge:
    async def compare(self, left, right):
        return compare(left, right)

class Caller:
    async def call(self, judges, calls):
        slots = asyncio.Semaphore(WINDOW)
        async def one(number):
            async with slots:
                return await judges[number % len(judges)].compare.remote(number, 7)
        return sum(await asyncio.gather(*map(one, range(calls))))

    async def submit(self, tasks):
        slots = asyncio.Semaphore(WINDOW)
        task = ray.remote(compare)
        async def one(number):
            async with slots:
                return await task.options(num_cpus=1).remote(number, 7)
        return sum(await asyncio.gather(*map(one, range(tasks))))

def actor(kind):
    return ray.remote(kind).options(num_cpus=0, max_concurrency=1000).remote()

judges, caller = [actor(Judge), actor(Judge)], actor(Caller)

def calls(count):
    ray.get(caller.call.remote(judges, count))

def tasks(count):
    ray.get(caller.submit.remote(count))

try:
    session = ray_runtime._cluster.session.name
    print(json.dumps(planes.measure(calls, tasks, session=session)))
finally:
    ray_runtime.stop_ray()
"""
