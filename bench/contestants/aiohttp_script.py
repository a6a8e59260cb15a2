"""A file of requests in parallel, in the way of the parallel processor of OpenAI's cookbook.

    aiohttp_script.py INPUT UPSTREAM OUTPUT IN_FLIGHT

One task a call, a few attempts, a line appended for each answer. A crash loses what it was doing.
"""

import asyncio
import json
import sys

import aiohttp

source, upstream, output, in_flight = sys.argv[1:]
attempts = 5


async def main():
    free = asyncio.Semaphore(int(in_flight))
    running = set()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        with open(source) as lines:
            for line in lines:
                await free.acquire()
                task = asyncio.create_task(run(session, json.loads(line)))
                running.add(task)
                task.add_done_callback(lambda done: (running.discard(done), free.release(), done.result()))
        await asyncio.gather(*running)


async def run(session, request):
    url = upstream + request["url"].removeprefix("/v1")
    for attempt in range(attempts):
        try:
            async with session.post(url, json=request["body"]) as response:
                response.raise_for_status()
                return append(request["custom_id"], await response.json())
        except aiohttp.ClientError:
            if attempt + 1 == attempts:
                raise
            await asyncio.sleep(2**attempt)


def append(custom_id, body):
    result = {"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}
    with open(output, "a") as file:
        file.write(json.dumps(result) + "\n")


asyncio.run(main())
