"""What a process has in memory."""

import re
from pathlib import Path

MEBIBYTE = 1 << 20


def memory(process):
    """What a process holds in memory, and held at most, in bytes."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) << 10 for name in ("VmRSS", "VmHWM"))


class Growth:
    """How much more a server that was started holds in memory at most than now, in MiB."""

    def __init__(self, server):
        self.process = server.running.process
        # Its peak begins anew: that of its start, in which it may have compiled, would hide what comes.
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        self.before, _ = memory(self.process)

    @property
    def most(self):
        """How much so far."""
        return (memory(self.process)[1] - self.before) / MEBIBYTE

    @property
    def now(self):
        """How much it is now."""
        return (memory(self.process)[0] - self.before) / MEBIBYTE
