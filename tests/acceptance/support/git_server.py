"""Real Git over HTTP and SSH: Git's own server programs behind a small HTTP server, and an OpenSSH server."""

import base64
import datetime
import getpass
import os
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.canary import Canary
from support.evidence import SUITE
from support.parts import free_port
from support.waiting import eventually

_BARE = ("GIT_", "WHIMBREL_")


def _surroundings(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_BARE)}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C.UTF-8"} | more


class Served:
    """A bare repository that a server has, filled from a project's clone."""

    def __init__(self, folder, project):
        self.folder = Path(folder)
        self.project = project
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", self.folder], check=True,
                       env=_surroundings())
        self.git("config", "http.receivepack", "true")
        self.push()

    def git(self, *arguments):
        """Runs git in the bare repository and gives its output."""
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True,
                              env=_surroundings())
        return done.stdout.strip()

    def push(self, *arguments):
        """Pushes everything that the project's clone has."""
        self.project.git("push", "--quiet", "--force", *arguments, str(self.folder), "refs/heads/*:refs/heads/*",
                         "refs/tags/*:refs/tags/*")

    def references(self):
        """The refs of the server by name."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)


class HttpServer:
    """`git http-backend` behind an HTTP server with Basic authentication, which can also misbehave."""

    def __init__(self, root, certificate=None):
        self.root = Path(root)
        self.user = "ada"
        self.password = Canary.hatch("a password of Git")
        self.requests = []
        # A status that everything is answered with; a place that everything is sent to; whether it falls silent.
        self.status = None
        self.location = None
        self.silent = threading.Event()
        self.opened = False
        self.certificate = certificate
        self.port = 0
        self.server = None
        self.start()
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    def start(self):
        """Begins to answer, on the same port as ever."""
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.server.daemon_threads = True
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def access(self):
        """The variables that let the product in."""
        return {"WHIMBREL_GIT_USERNAME": self.user, "WHIMBREL_GIT_PASSWORD": self.password.value}

    def stop(self):
        """Ends it."""
        self.silent.set()
        self.server.shutdown()
        self.server.server_close()

    def _lets_in(self, headers):
        expected = base64.b64encode(f"{self.user}:{self.password.value}".encode()).decode()
        return self.opened or headers.get("Authorization") == f"Basic {expected}"

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                return

            def _refuse(self, status, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                outer.requests.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if outer.status:
                    return self._refuse(outer.status)
                if outer.location:
                    return self._refuse(301, Location=outer.location(self.path))
                if not outer._lets_in(self.headers):
                    return self._refuse(401, WWW_Authenticate='Basic realm="git"')
                path, _, query = self.path.partition("?")
                done = subprocess.run(
                    ["git", "http-backend"], input=body, capture_output=True, check=False,
                    env=_surroundings(
                        GIT_PROJECT_ROOT=str(outer.root), GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                        REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
                        CONTENT_LENGTH=str(len(body)), REMOTE_USER=outer.user, REMOTE_ADDR="127.0.0.1",
                    ),
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if line)
                self.send_response(int(headers.pop("Status", "200").split()[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

        return Handler


# OpenSSL's own way to say from when on a certificate is valid.
_AUTHORITY = """
[ca]
default_ca = authority
[authority]
database = {folder}/issued
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
[itself]
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
[server]
subjectAltName = IP:127.0.0.1
basicConstraints = CA:FALSE
"""
_DAYS = 4


def certificate(folder):
    """An authority and a certificate of it for 127.0.0.1: the authority's file, and what a server needs. They have been valid for
    days: for a process whose clock is behind, too."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    begins, ends = (f"{now + datetime.timedelta(days=days):%Y%m%d%H%M%SZ}" for days in (-_DAYS, _DAYS))

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def asked(name, key, request):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                "-out", request)

    def issued(request, certificate, *by):
        openssl("ca", "-batch", "-notext", "-config", settings, "-startdate", begins, "-enddate", ends, "-in", request, "-out",
                certificate, "-keyfile", folder / "ca.key", *by)

    authority, key, request, chain = (folder / name for name in ("ca.pem", "key.pem", "request.pem", "chain.pem"))
    settings = folder / "authority"
    settings.write_text(_AUTHORITY.format(folder=folder))
    (folder / "issued").touch()
    asked("The shop's authority", folder / "ca.key", request)
    issued(request, authority, "-selfsign", "-extensions", "itself")
    asked("git", key, request)
    issued(request, chain, "-cert", authority, "-extensions", "server")
    for private in (folder / "ca.key", key):
        Canary.of_key("a key of a certificate", SUITE.given(private))
    return authority, (chain, key)


def key(file, kind="ed25519", passphrase=""):
    """A pair of keys for SSH; gives the private one's file."""
    file = Path(file)
    if passphrase:
        Canary.known("a passphrase", passphrase)
    while True:
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "acceptance", "-f", file], check=True)
        # One in sixteen has so many plus signs and slashes that nothing of it would be found for certain.
        if Canary.of_key("a key for SSH", SUITE.given(file)):
            return file
        for half in (file, file.with_name(f"{file.name}.pub")):
            half.unlink()


class SshServer:
    """An OpenSSH server on a port of its own that lets in one key, as the user who runs the tests."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.host_key = key(self.folder / "host")
        self.client_key = key(self.folder / "client")
        shutil.copy(self.folder / "client.pub", self.folder / "authorized")
        config = self.folder / "config"
        config.write_text("\n".join([
            f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {self.host_key}", f"PidFile {self.folder / 'pid'}",
            f"AuthorizedKeysFile {self.folder / 'authorized'}", "StrictModes no", "UsePAM no",
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "",
        ]))
        if os.geteuid() == 0:
            # As root, sshd wants the folder of its unprivileged half.
            Path("/run/sshd").mkdir(exist_ok=True)
        program = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen([program, "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        eventually(self._answers, "sshd starts")
        self.user = getpass.getuser()
        self.address = f"ssh://{self.user}@127.0.0.1:{self.port}"

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def known(self, *, marker="", hashed=False, public=None):
        """A file of known hosts with the server's key, or with another one."""
        public = Path(public or f"{self.host_key}.pub").read_text()
        file = self.folder / "known"
        file.write_text(f"{marker}[127.0.0.1]:{self.port} {public}")
        if hashed:
            subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
            assert "127.0.0.1" not in file.read_text()
        return file

    def stop(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()
