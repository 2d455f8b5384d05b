"""One greenlet for each process."""

import sys

import gevent
from gevent.fileobject import FileObject
from peer import members, resume_all, serve, stop_all


def hobble(orders, pid):
    while True:
        pids = members(pid, orders.tree)
        if not stop_all(pids):
            return
        gevent.sleep(orders.stop)
        resume_all(pids)
        gevent.sleep(orders.run)


serve(lambda orders, pid: gevent.spawn(hobble, orders, pid), FileObject(sys.stdin.buffer, "r"))
