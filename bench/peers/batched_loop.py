"""One loop for all: stop all, sleep, resume all, sleep."""

import threading
import time

from peer import members, resume_all, serve, stop_all

hobbled = []


def hobble(orders):
    while True:
        trees = [members(pid, orders.tree) for pid in hobbled]
        for pids in trees:
            if not stop_all(pids):
                hobbled.remove(pids[0])
        time.sleep(orders.stop)
        for pids in trees:
            resume_all(pids)
        time.sleep(orders.run)


def begin(orders, pid):
    hobbled.append(pid)
    if len(hobbled) == 1:
        threading.Thread(target=hobble, args=(orders,), daemon=True).start()


serve(begin)
