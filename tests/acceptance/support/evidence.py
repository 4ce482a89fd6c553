"""What the product leaves behind, kept until it is searched: what it said, what it wrote, what it recorded."""

import hashlib
import io
import itertools
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from support.canary import LENT, traces

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


class Evidence:
    """A place for it, and the search."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbev-"))
        self.said = self._make("said")
        self.temporary = self._make("temporary")
        self.home = self._make("home")
        self.runs = 0
        self.rows = 0
        self.looked_at = 0
        self._held = 0
        self._folders = [self.folder]
        self._apart = set()
        self._numbers = itertools.count(1)

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

    def watch(self, folder):
        """Everything in a folder is evidence."""
        self._folders.append(Path(folder))

    def set_apart(self, folder):
        """What is in this folder, or in the database of this name, belongs to other evidence."""
        self._apart.add(folder)

    def search(self, canaries, cluster=None, databases=None):
        """Every place where a canary is seen: in files, and in what was recorded in databases of a cluster."""
        wanted = traces(canaries)
        found, known = [], set()
        for where, content in self._files():
            # The same is written in many places, and found in the first.
            digest = hashlib.blake2b(content).digest()
            if digest not in known:
                known.add(digest)
                found += _look(wanted, where, content)
        if cluster is not None:
            for where, content in self._records(cluster, databases):
                found += _look(wanted, where, content)
        return found

    def hold(self, cluster):
        """No canary of a cluster is seen anywhere; looks again only if something was run since it was held."""
        if self._held == self.runs:
            return
        self._held = self.runs
        found = self.search(cluster.canaries, cluster)
        assert not found, f"{len(found)} finds:\n" + "\n".join(map(str, found[:50]))

    def _files(self):
        for top in self._folders:
            for folder, folders, names in os.walk(top):
                folders[:] = [name for name in folders if Path(folder, name) not in self._apart]
                for name in names:
                    file = Path(folder, name)
                    if file.is_file() and not file.is_symlink():
                        self.looked_at += 1
                        content = file.read_bytes()
                        yield str(file), content
                        if ".git/objects/" in str(file):
                            yield from _inflated(file, content)
                        elif content.startswith(_ARCHIVE):
                            yield from _members(file, content)

    def _records(self, cluster, databases):
        """Whimbrel's own tables, as JSON: `bytea` in there is hexadecimal."""
        for database in cluster.databases() if databases is None else databases:
            if database in self._apart:
                continue
            with cluster.connect(database) as connection:
                tables = connection.execute(
                    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace('whimbrel')"
                ).fetchall()
                for (table,) in tables:
                    for (row,) in connection.execute(f'SELECT to_jsonb(t)::text FROM whimbrel."{table}" t').fetchall():
                        self.rows += 1
                        yield f"{database}: whimbrel.{table}", row.encode()


def _inflated(file, content):
    """Git's loose objects are compressed."""
    try:
        yield f"{file} (inflated)", zlib.decompress(content)
    except zlib.error:
        return


def _members(file, content):
    """Terraform's plans are archives."""
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
    for form, pattern in LENT.items():
        if match := pattern.search(content):
            yield Find("a lent password", form, where, _around(content, match.start(), match.end()))


def _around(content, start, end):
    return content[max(0, start - _AROUND):end + _AROUND]


# What the whole suite leaves behind.
SUITE = Evidence()
