"""What the plain peers share: the bench's line protocol, finding a tree, resuming everything at the end.

Prints {"type":"hello"}; reads {"type":"start","pids":[...],"runMs":10,"stopMs":250,"tree":false} and {"type":"add","pids":[...]}, answering
each with a line; at {"type":"stop"} or the end of its input everything is resumed.
"""

import json
import os
import signal
import sys


def send(pid, number):
    """False: it is gone."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def parents():
    """PID of the parent of every process of the host, as psutil finds them: one pass over /proc."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    found[int(name)] = int(stat.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
    return found


def descendants(root):
    """The process and all below it, parents before children."""
    children = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def members(pid, tree):
    return descendants(pid) if tree else [pid]


def stop_all(pids):
    """False: the first of them is gone."""
    alive = [send(pid, signal.SIGSTOP) for pid in pids]
    return alive[0]


def resume_all(pids):
    alive = [send(pid, signal.SIGCONT) for pid in reversed(pids)]
    return alive[-1]


def say(kind, **more):
    sys.stdout.write(json.dumps({"type": kind, **more}) + "\n")
    sys.stdout.flush()


class Orders:
    """What the bench has said so far."""

    def __init__(self):
        self.pids = []
        self.run = self.stop = 0.0
        self.tree = False

    def obey(self, line, begin):
        """Calls begin(pid) for each new process. False: the bench wants an end."""
        message = json.loads(line)
        if message["type"] == "stop":
            return False
        if message["type"] == "start":
            self.run, self.stop = message["runMs"] / 1e3, message["stopMs"] / 1e3
            self.tree = message.get("tree", False)
        self.pids += message["pids"]
        for pid in message["pids"]:
            begin(pid)
        say("started")
        return True

    def end(self):
        for pid in self.pids:
            resume_all(members(pid, self.tree))
        sys.stdout.flush()
        os._exit(0)


def serve(begin, lines=sys.stdin, end=lambda: None):
    """For peers whose main thread has nothing else to do: begin(orders, pid) for each process, end() before they are resumed."""
    orders = Orders()
    say("hello")
    for line in lines:
        if not orders.obey(line, lambda pid: begin(orders, pid)):
            break
    end()
    orders.end()
