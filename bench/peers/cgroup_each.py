"""A cgroup for each process: cgroup_each.py quota|together|freezer 1|2 MOUNT

quota     the kernel's CPU quota: it may run for the run time in each period, then waits for the next.
together  the same quota for all of them together, in one group.
freezer   one coroutine for each group, which freezes it and thaws it.
"""

import asyncio
import os
import sys

from peer import Orders, members, say

kind, version, mount = sys.argv[1:4]
parent = f"{mount}/hobble-bench-{kind}-{os.getpid()}"
home = {}


def write(group, file, text):
    with open(f"{group}/{file}", "w") as out:
        out.write(text)


def group_of(pid):
    return f"{parent}/all" if kind == "together" else f"{parent}/{pid}"


def enter(pid, tree):
    """Moves a process, with its descendants if it is a tree, into a group of its own; remembers where they came from."""
    group = group_of(pid)
    os.makedirs(group, exist_ok=True)
    for member in members(pid, tree):
        with open(f"/proc/{member}/cgroup") as groups:
            for line in groups:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if (version == "2" and controllers == "") or os.path.basename(mount) in controllers.split(","):
                    home[member] = f"{mount}{path}"
        write(group, "cgroup.procs", str(member))
    return group


def limit(orders, group):
    run, period = round(orders.run * 1e6), round((orders.run + orders.stop) * 1e6)
    if version == "2":
        write(group, "cpu.max", f"{run} {period}")
    else:
        write(group, "cpu.cfs_period_us", str(period))
        write(group, "cpu.cfs_quota_us", str(run))


def freeze(group, frozen):
    if version == "2":
        write(group, "cgroup.freeze", "1" if frozen else "0")
    else:
        write(group, "freezer.state", "FROZEN" if frozen else "THAWED")


async def hobble(orders, group):
    while True:
        freeze(group, True)
        await asyncio.sleep(orders.stop)
        freeze(group, False)
        await asyncio.sleep(orders.run)


def leave(pid):
    group = group_of(pid)
    try:
        if kind == "freezer":
            freeze(group, False)
        with open(f"{group}/cgroup.procs") as inside:
            inmates = inside.read().split()
        for inmate in inmates:
            # A child that was forked in the group goes where its parent came from.
            write(home.get(int(inmate), home[pid]), "cgroup.procs", inmate)
    except (OSError, KeyError):
        pass
    # A group can be removed when the last of its processes has really gone.
    try:
        os.rmdir(group)
    except OSError:
        pass


async def main():
    lines = asyncio.StreamReader(limit=1 << 22)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    orders = Orders()
    loops = []
    os.makedirs(parent, exist_ok=True)

    def begin(pid):
        group = enter(pid, orders.tree)
        if kind in ("quota", "together"):
            limit(orders, group)
        else:
            loops.append(asyncio.create_task(hobble(orders, group)))

    say("hello", groups=parent)
    try:
        while line := await lines.readline():
            if not orders.obey(line, begin):
                break
        for loop in loops:
            loop.cancel()
    finally:
        for pid in orders.pids:
            leave(pid)
        try:
            os.rmdir(parent)
        except OSError:
            pass


asyncio.run(main())
