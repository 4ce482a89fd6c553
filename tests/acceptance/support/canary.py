"""Canaries: secrets that nothing else in the world says, and the forms in which one could get out.

Each is a run of letters and digits in the middle of characters that every encoding writes differently. Letters and digits
are the same in plain text, JSON, XML, SQL and a URL, so that looking for the middle finds all of these; hexadecimal and
base64 are looked for by themselves.
"""

import base64
import json
import re
import secrets
import string
import urllib.parse
from dataclasses import dataclass

_LETTERS = string.ascii_letters + string.digits
# What of base64 belongs to a text alone that begins at a byte's first, third or fifth bit.
_FIRST_WHOLE = (0, 2, 3)
URL_SAFE = bytes.maketrans(b"+/", b"-_")

# What a store makes up can't be planted, so it makes passwords of these letters only. However such a password is written,
# it is a long run of few characters: groups of three letters are groups of four characters in base64, wherever it begins.
LENT_LETTERS = "QXZJ"


class Lent:
    """One way to write them. A pattern is slow where there are hundreds of megabytes: it is looked for only where its
    characters are, in a run that is long enough."""

    def __init__(self, pattern, run, *classes):
        self._pattern = re.compile(pattern)
        self._table = bytearray(256)
        for number, characters in enumerate(classes, 1):
            for character in characters:
                self._table[character] = number
        self._run = bytes(range(1, len(classes) + 1)) * run

    def search(self, content):
        """The first of it, as a match."""
        classes = content.translate(self._table)
        at = classes.find(self._run)
        while at >= 0:
            if found := self._pattern.match(content, at):
                return found
            at = classes.find(self._run, at + 1)
        return None


LENT = {
    "plain": Lent(rb"[QXZJ]{24,}", 24, b"QXZJ"),
    "hex": Lent(rb"(?:51|58|5[aA]|4[aA]){24,}", 24, b"45", b"18aA"),
    "base64": Lent(rb"(?:[UWS][VUFElk][Fhp][RYaK]){8,}", 32, b"UWSVFElkhpRYaK"),
}

# The forms in which a secret can be written, by name.
FORMS = {
    "raw": lambda value: value,
    "json": lambda value: json.dumps(value)[1:-1],
    "json in json": lambda value: json.dumps(json.dumps(value)[1:-1])[1:-1],
    "url": lambda value: urllib.parse.quote(value, safe=""),
    "base64": lambda value: _base64(value.encode()),
    "base64 after one byte": lambda value: _base64(b":" + value.encode() + b"\n"),
    "base64 after two bytes": lambda value: _base64(b"u:" + value.encode() + b"\n"),
    "hex": lambda value: value.encode().hex(),
    "hex in capitals": lambda value: value.encode().hex().upper(),
}


def _base64(value):
    return base64.b64encode(value).decode()


@dataclass(frozen=True)
class Canary:
    """One secret."""

    name: str
    core: str
    value: str

    @classmethod
    def hatch(cls, name, plain=False):
        """A new one; a plain one is letters and digits only."""
        core = "".join(secrets.choice(_LETTERS) for _ in range(24))
        return cls(name, core, core if plain else f"k\"\\/{core}+ %&'")

    def written(self, form):
        """The secret in one of the forms."""
        return FORMS[form](self.value)

    def traces(self):
        """What gives it away: pairs of a form and the bytes that are in every text which says the secret so."""
        core = self.core.encode()
        yield "plain", core
        trace = core.hex().encode()
        yield "hex", trace
        if trace.upper() != trace:
            yield "hex in capitals", trace.upper()
        for offset, first in enumerate(_FIRST_WHOLE):
            whole = (offset + len(core)) * 8 // 6
            trace = base64.b64encode(b"\0" * offset + core)[first:whole]
            yield f"base64 at {offset}", trace
            if trace.translate(URL_SAFE) != trace:
                yield f"base64 for URLs at {offset}", trace.translate(URL_SAFE)


def traces(canaries):
    """All traces of all canaries: triples of name, form and bytes."""
    return [(canary.name, form, trace) for canary in canaries for form, trace in canary.traces()]
