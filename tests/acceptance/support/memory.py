"""What a process has in memory."""

import re
from pathlib import Path

MEBIBYTE = 1 << 20


def memory(process):
    """What a process holds in memory, and held at most, in bytes."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) << 10 for name in ("VmRSS", "VmHWM"))


def most(server):
    """What a server that was started held in memory at most."""
    return memory(server.running.process)[1]
