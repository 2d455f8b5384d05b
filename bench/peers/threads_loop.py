"""One thread for each process."""

import threading
import time

from peer import members, resume_all, serve, stop_all


def hobble(orders, pid):
    while True:
        pids = members(pid, orders.tree)
        if not stop_all(pids):
            return
        time.sleep(orders.stop)
        resume_all(pids)
        time.sleep(orders.run)


threading.stack_size(1 << 18)
serve(lambda orders, pid: threading.Thread(target=hobble, args=(orders, pid), daemon=True).start())
