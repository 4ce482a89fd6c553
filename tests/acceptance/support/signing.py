"""Who signs commits of a project, by an SSH key or an OpenPGP certificate, and how one says whose signatures count."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.evidence import SUITE
from support.git_server import key
from support.product import environment


class _Signer:
    """Somebody who can sign; `flag` and `field` say on the command line and in documents where the file of trusted keys is."""

    def __init__(self, project, folder):
        self.project = project
        self.trusted = Path(folder) / "trusted"

    @property
    def arguments(self):
        """What the command line is told."""
        return (self.flag, self.trusted)

    def verify(self, mode):
        """What a `GitSource` says in `verify`."""
        return {"mode": mode, self.field: {"file": str(self.trusted)}}

    def commit(self, message, *arguments):
        """Commits everything with a signature; gives the commit."""
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--allow-empty", "--gpg-sign", "--message", message, *arguments)
        return self.project.git("rev-parse", "HEAD")

    def close(self):
        """Ends what runs for it."""


class SshSigner(_Signer):
    """Ada with an SSH key."""

    flag, field = "--allowed-signers", "allowedSigners"

    def __init__(self, project, folder):
        super().__init__(project, folder)
        file = key(Path(folder) / "ada")
        self.trusted.write_text(f'ada@example.com namespaces="git" {file.with_suffix(".pub").read_text()}')
        project.git("config", "gpg.format", "ssh")
        project.git("config", "user.signingKey", str(file))


class OpenPgpSigner(_Signer):
    """Ada with a certificate of GnuPG."""

    flag, field = "--openpgp-keys", "openpgpKeys"

    def __init__(self, project, folder):
        super().__init__(project, folder)
        # The sockets of its agent want a short path.
        self.home = Path(tempfile.mkdtemp(prefix="gpg-", dir=SUITE.folder))
        self._gpg("--quick-generate-key", "Ada <ada@example.com>", "ed25519", "sign,cert", "never")
        self.trusted.write_text(self._gpg("--armor", "--export"))
        program = project.folder / ".git/gpg"
        program.write_text(f'#!/bin/sh\nGNUPGHOME={self.home} exec gpg --batch --pinentry-mode loopback --passphrase "" "$@"\n')
        program.chmod(0o755)
        project.git("config", "gpg.format", "openpgp")
        project.git("config", "gpg.program", str(program))
        project.git("config", "user.signingKey", "ada@example.com")

    def _gpg(self, *arguments):
        batch = ("--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback")
        done = subprocess.run(["gpg", *batch, *arguments], check=True, capture_output=True, text=True,
                              env=environment(GNUPGHOME=self.home))
        return done.stdout

    def close(self):
        subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True,
                       env=environment(GNUPGHOME=self.home))
        shutil.rmtree(self.home, ignore_errors=True)


SIGNERS = {"ssh": SshSigner, "openpgp": OpenPgpSigner}
