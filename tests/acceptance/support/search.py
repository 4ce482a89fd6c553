"""The search for canaries in anything: hundreds of them, in hundreds of megabytes.

GNU grep tells what holds any of them at all, in one reading for all canaries; what it names, and nothing does as a rule, is
looked at again for each.
"""

import hashlib
import io
import os
import subprocess
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from support.canary import LENT, TOKEN, traces

# How a zip archive begins.
_ARCHIVE = b"PK\x03\x04"
# Characters shown around a find.
_AROUND = 60


@dataclass(frozen=True)
class Find:
    """A canary that got out."""

    canary: str
    form: str
    where: str
    around: bytes

    def __str__(self):
        return f"{self.canary} ({self.form}) in {self.where}: …{self.around!r}…"


class Search:
    """One search: everything is added, then there are finds."""

    def __init__(self, canaries):
        self._wanted = traces(canaries)
        self._known = set()
        self._found = []
        # What is to be read by grep; what is a file already is read where it is.
        self._folder = Path(tempfile.mkdtemp(prefix="wbse-"))
        self._places = {}

    def close(self):
        """Forgets it all."""
        for file in self._folder.iterdir():
            file.unlink()
        self._folder.rmdir()

    def add(self, where, content):
        """Something to look at. The same is written in many places, and found in the first."""
        digest = hashlib.blake2b(content).digest()
        if digest in self._known or not content:
            return
        self._known.add(digest)
        self._found += _made_up(where, content)
        file = where
        if not os.path.isfile(where):
            file = str(self._folder / str(len(self._known)))
            Path(file).write_bytes(content)
        self._places[file] = where

    def finds(self):
        """All that was found."""
        for file in self._suspicious():
            try:
                content = Path(file).read_bytes()
            except FileNotFoundError:
                # Some server is still at work in there.
                continue
            self._found += _look(self._wanted, self._places[file], content)
        return self._found

    def _suspicious(self):
        patterns = self._folder / "patterns"
        patterns.write_bytes(b"\n".join(sorted({trace for _, _, trace in self._wanted})))
        if not self._wanted or not self._places:
            return []
        done = subprocess.run(
            ["xargs", "--null", "--no-run-if-empty", "grep", "--files-with-matches", "--null", "--text", "--no-messages",
             "--fixed-strings", f"--file={patterns}"],
            input="\0".join(self._places).encode(errors="surrogateescape"), stdout=subprocess.PIPE, check=False,
            env=os.environ | {"LC_ALL": "C"},
        )
        # 123: one of the greps has found nothing, or a file is gone meanwhile.
        assert done.returncode in (0, 123), done
        return [name for name in done.stdout.decode(errors="surrogateescape").split("\0") if name]


def unpacked(file, content):
    """What is inside a file that is compressed: Git's loose objects, and archives, as Terraform's plans are."""
    if "/objects/" in str(file):
        try:
            yield f"{file} (inflated)", zlib.decompress(content)
        except zlib.error:
            return
    elif content.startswith(_ARCHIVE):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    yield f"{file} ({name})", archive.read(name)
        except (zipfile.BadZipFile, zlib.error):
            return


def _look(wanted, where, content):
    for name, form, trace in wanted:
        at = content.find(trace)
        if at >= 0:
            yield Find(name, form, where, _around(content, at, at + len(trace)))


def _made_up(where, content):
    """What a store made up and told nobody but the product has a shape by which it is recognized."""
    for form, pattern in LENT.items():
        if match := pattern.search(content):
            yield Find("a lent password", form, where, _around(content, match.start(), match.end()))
    if match := TOKEN.search(content):
        yield Find("a token of OpenBao", "plain", where, _around(content, match.start(), match.end()))


def _around(content, start, end):
    return content[max(0, start - _AROUND):end + _AROUND]
