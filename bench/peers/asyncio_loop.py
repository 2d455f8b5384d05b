"""The plain loop that everybody writes first: one asyncio coroutine for each process."""

import asyncio
import sys

from peer import Orders, members, resume_all, say, stop_all


async def hobble(orders, pid):
    while True:
        pids = members(pid, orders.tree)
        if not stop_all(pids):
            return
        await asyncio.sleep(orders.stop)
        resume_all(pids)
        await asyncio.sleep(orders.run)


async def main():
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    orders = Orders()
    loops = []
    say("hello")
    while line := await lines.readline():
        if not orders.obey(line, lambda pid: loops.append(asyncio.create_task(hobble(orders, pid)))):
            break
    for loop in loops:
        loop.cancel()
    orders.end()


asyncio.run(main())
