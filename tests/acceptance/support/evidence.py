"""What the product leaves behind, kept until it is searched: what it said, what it wrote, what it recorded, what it sent.

Whoever hears the product otherwise than by `Whimbrel` keeps that with `keep` or `hear`. A file that a test itself wrote with a
secret in it is no evidence: `given` says so.
"""

import hashlib
import itertools
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

from support.canary import FLOCK
from support.search import Search, unpacked

# What differs each time the same is measured.
_MEASURED = re.compile(rb"[0-9.e+-]+$")


class Evidence:
    """A place for it, and the search."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbev-"))
        self.said = self._make("said")
        self.heard = self._make("heard")
        self.temporary = self._make("temporary")
        self.home = self._make("home")
        self.runs = 0
        self.rows = 0
        self.looked_at = 0
        self._held = None
        self._folders = [self.folder]
        self._apart = set()
        self._clusters = []
        self._numbers = itertools.count(1)
        self._lines = {}
        self._lock = threading.Lock()

    def _make(self, name):
        folder = self.folder / name
        folder.mkdir()
        return folder

    def remove(self):
        """Forgets it all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, arguments, *texts):
        """Keeps what a run of the product said."""
        self.runs += 1
        command = " ".join(map(str, arguments))
        said = "\n".join(text if isinstance(text, str) else text.decode(errors="surrogateescape") for text in texts)
        file = self.said / f"{next(self._numbers):05}"
        file.write_text(f"$ whimbrel {command}\n{said}", errors="surrogateescape")

    def hear(self, channel, *texts):
        """Keeps what the product answered or sent over the network; lines that came before, but for a number at their end,
        are kept once."""
        with self._lock:
            known = self._lines.setdefault(channel, set())
            with (self.heard / channel).open("ab") as file:
                for text in texts:
                    for line in (text if isinstance(text, bytes) else text.encode(errors="surrogateescape")).split(b"\n"):
                        digest = hashlib.blake2b(_MEASURED.sub(b"", line), digest_size=16).digest()
                        if digest not in known:
                            known.add(digest)
                            file.write(line + b"\n")

    def watch(self, folder):
        """Everything in a folder is evidence."""
        self._folders.append(Path(folder))

    def also(self, cluster):
        """What is recorded in the databases of a cluster is evidence, until it is gone."""
        self._clusters.append(cluster)

    def forget(self, cluster):
        """It is gone."""
        self._clusters.remove(cluster)

    def set_apart(self, folder):
        """What is in this folder or file, or in the database of this name, belongs to other evidence."""
        self._apart.add(folder)

    def given(self, file):
        """A test itself wrote this file, in which a secret is, for the product to read."""
        self._apart.add(Path(file))
        return file

    def search(self, canaries, *clusters, databases=None):
        """Every place where a canary is seen: in files, and in what was recorded in databases of clusters."""
        search = Search(canaries)
        try:
            for where, content in self._files():
                search.add(where, content)
            for cluster in clusters:
                for where, content in cluster.records(databases, self._apart):
                    self.rows += 1
                    search.add(where, content)
            return search.finds()
        finally:
            search.close()

    def hold(self):
        """No canary of this process is seen anywhere; looks again only if there is something new."""
        state = (self.runs, sum(map(len, self._lines.values())), len(FLOCK))
        if self._held == state:
            return
        self._held = state
        found = self.search(list(FLOCK.values()), *self._clusters)
        assert not found, f"{len(found)} finds:\n" + "\n".join(map(str, found[:50]))

    def _files(self):
        for top in self._folders:
            for folder, folders, names in os.walk(top):
                folders[:] = [name for name in folders if Path(folder, name) not in self._apart]
                for name in names:
                    file = Path(folder, name)
                    if file.is_file() and not file.is_symlink() and file not in self._apart:
                        self.looked_at += 1
                        content = file.read_bytes()
                        yield str(file), content
                        yield from unpacked(file, content)


# What the whole suite leaves behind.
SUITE = Evidence()
