"""Runs a command to its end and writes to descriptor 3 what the kernel has counted for it and its own children.

    usage.py CORES COMMAND...      CORES: how many cores it may use, 0 for all

A parent that is small itself: the largest resident set of a process begins with that of its parent.
"""

import json
import os
import signal
import sys
import time

cores, *command = sys.argv[1:]
if int(cores) > 0:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
os.set_inheritable(3, False)

begin = time.monotonic()
pid = os.posix_spawnp(command[0], command, os.environ)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda received, _: os.kill(pid, received))
_, status, used = os.wait4(pid, 0)
seconds = time.monotonic() - begin

# Linux counts in KiB, macOS in bytes.
unit = 1 if sys.platform == "darwin" else 1024
report = {
    "cpuSeconds": used.ru_utime + used.ru_stime,
    "peakBytes": used.ru_maxrss * unit,
    "seconds": seconds,
}
os.write(3, json.dumps(report).encode())
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
