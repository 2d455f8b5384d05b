"""A program for each process: program_each.py cpulimit | shell

cpulimit   Debian's cpulimit, asked for the duty that the cycle means.
shell      a loop of kill and sleep, as in countless scripts that use timeout(1).
"""

import shutil
import subprocess
import sys

from peer import serve

LOOP = 'while kill -STOP "$0" && sleep "$1" && kill -CONT "$0" && sleep "$2"; do :; done'
programs = []


def command(orders, pid):
    if sys.argv[1] == "shell":
        return ["sh", "-c", LOOP, str(pid), str(orders.stop), str(orders.run)]
    duty = 100 * orders.run / (orders.run + orders.stop)
    # Whole percent: it reads its argument with atoi.
    return [shutil.which("cpulimit"), "-z", "-p", str(pid), "-l", str(max(1, round(duty)))]


def begin(orders, pid):
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    programs.append(subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command(orders, pid)], **quiet))


def end():
    for program in programs:
        program.terminate()
    for program in programs:
        program.wait()


serve(begin, end=end)
