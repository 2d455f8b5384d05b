"""The plain loop that hobble is measured against: one asyncio coroutine for each process.

Speaks the bench's line protocol: prints {"type":"hello"}, reads {"type":"start","pids":[...],"runMs":10,"stopMs":250},
prints {"type":"started"}, and hobbles until {"type":"stop"} or the end of its input; then everything is resumed.
"""

import asyncio
import json
import os
import signal
import sys


async def hobble(pid: int, run: float, stop: float) -> None:
    try:
        while True:
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(run)
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(stop)
    except ProcessLookupError:
        pass


def resume(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


async def main() -> None:
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    say({"type": "hello"})
    pids: list[int] = []
    loops: list[asyncio.Task[None]] = []
    while line := await lines.readline():
        message = json.loads(line)
        if message["type"] == "stop":
            break
        pids = message["pids"]
        run, stop = message["runMs"] / 1e3, message["stopMs"] / 1e3
        loops = [asyncio.create_task(hobble(pid, run, stop)) for pid in pids]
        say({"type": "started"})
    for loop in loops:
        loop.cancel()
    resume(pids)


asyncio.run(main())
