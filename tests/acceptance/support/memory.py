"""What a process has in memory."""

import re
from pathlib import Path

MEBIBYTE = 1 << 20


def memory(process):
    """What a process holds in memory, and held at most, in bytes."""
    return _said(process, "VmRSS"), _said(process, "VmHWM")


def of_files(process):
    """What of that is of files, such as its code: that comes and goes as it is used."""
    return _said(process, "RssFile")


def _said(process, name):
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", text)[1]) << 10


class Growth:
    """How much more a server that was started holds in memory at most than now, in MiB."""

    def __init__(self, server):
        self.process = server.running.process
        # Its peak begins anew: that of its start, in which it may have compiled, would hide what comes.
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        self.before, _ = memory(self.process)
        self.code = of_files(self.process)

    @property
    def most(self):
        """How much so far, without code that it hadn't then and has now."""
        code = of_files(self.process) - self.code
        return (memory(self.process)[1] - self.before - max(code, 0)) / MEBIBYTE

    @property
    def now(self):
        """How much it is now, besides its code."""
        code = of_files(self.process) - self.code
        return (memory(self.process)[0] - self.before - code) / MEBIBYTE
