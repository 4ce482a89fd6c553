"""Canaries: secrets that nothing else in the world says, and the forms in which one could get out.

Each is a run of letters and digits in the middle of characters that every encoding writes differently. Letters and digits
are the same in plain text, JSON, XML, SQL and a URL, so that looking for the middle finds all of these; hexadecimal and
base64 are looked for by themselves. What a server made up, such as a token, is registered by `Canary.known`.

Every canary of this process is in the flock, and at the end all of it is looked for.
"""

import base64
import json
import os
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

# What OpenBao gives to whoever logs in, past what a test sees: `s.` and 24 letters and digits, never all of one sort.
TOKEN = re.compile(rb"s\.(?<![A-Za-z0-9_.]s\.)(?=[a-zA-Z]*[0-9])(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{24}"
                   rb"(?![A-Za-z0-9_.(])")

# What every encoding writes as it is; a shorter run of it could be anybody's.
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+")
_SHORTEST = 12

# Variables that hold a secret, by their names.
_SECRET = re.compile(r"(PASSWORD|PASSPHRASE|TOKEN|SECRET|password|token|secret)(?!.*_FILE$)|_KEY$")

# All canaries of this process, by their values.
FLOCK = {}

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
    def hatch(cls, name, plain=False, loose=False):
        """A new one; a plain one is letters and digits only, a loose one isn't in the flock: a test lets it out."""
        core = "".join(secrets.choice(_LETTERS) for _ in range(24))
        canary = cls(name, core, core if plain else f"k\"\\/{core}+ %&'")
        return canary if loose else canary._registered()

    @classmethod
    def known(cls, name, value):
        """A secret that something else made, or the password in an address; none if it is so ordinary that it would be found
        everywhere."""
        if value in FLOCK:
            return FLOCK[value]
        if value.startswith("/") or re.match(r"\w+:", value):
            login = re.match(r"\w+://[^/:@]*:([^/@]+)@", value)
            return cls.known(name, urllib.parse.unquote(login[1])) if login else None
        core = max(_PLAIN.findall(value), key=len, default="")
        return cls(name, core, value)._registered() if len(core) >= _SHORTEST else None

    @classmethod
    def of_key(cls, name, file):
        """A private key in PEM: of its text what is in no public part, and not the same in all keys."""
        text = file.read_text()
        body = "".join(line for line in text.splitlines() if line and not line.startswith("-"))
        # Of an OpenSSH key the seed or the exponent, of a P-256 key its number.
        first, last = (0.55, 0.63) if "OPENSSH" in text else (0.28, 0.47)
        core = max(re.findall(r"[A-Za-z0-9]+", body[int(len(body) * first):int(len(body) * last)]), key=len)
        return cls(name, core, text)._registered() if len(core) >= _SHORTEST else None

    @classmethod
    def of_variables(cls, variables):
        """What variables of the environment say that are called as secrets are."""
        for name, value in variables.items():
            text = str(value)
            # A key in PEM is known by what is private of it, to whoever made it.
            if _SECRET.search(name) and not text.startswith("-----") and not os.path.exists(text):
                cls.known(f"the variable {name}", text)

    def _registered(self):
        FLOCK[self.value] = self
        return self

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
