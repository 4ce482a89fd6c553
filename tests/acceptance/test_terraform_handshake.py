"""Who may speak with a provider: only who shows the certificate that it was told of, and has its key."""

import base64
import socket
import ssl
import subprocess

import pytest
from support.terraform import find_or_build

COOKIE = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
# What begins HTTP/2, with settings of which there are none.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture
def client(tmp_path):
    """Makes a client's certificate as Terraform does, of the curve P-521."""
    def make(name):
        file = tmp_path / f"{name}.pem"
        key = tmp_path / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-nodes", "-days",
                        "2", "-subj", "/O=HashiCorp/CN=localhost", "-keyout", key, "-out", file],
                       check=True, capture_output=True)
        return file, key
    return make


@pytest.fixture
def started(client, tmp_path):
    """A provider that expects a client: its socket, its own certificate, and what it expects."""
    expected = client("expected")
    process = subprocess.Popen(
        [find_or_build()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
        env={"TF_PLUGIN_MAGIC_COOKIE": COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "6", "TMPDIR": str(tmp_path),
             "PLUGIN_CLIENT_CERT": expected[0].read_text()})
    with process:
        _, protocol, network, place, kind, shown = process.stdout.readline().strip().split("|")
        assert (protocol, network, kind) == ("6", "unix", "grpc")
        own = ssl.DER_cert_to_PEM_cert(base64.b64decode(shown + "=" * (-len(shown) % 4)))
        yield place, own, expected
        process.kill()


def greeted(place, own, shown=None):
    """What a client is answered that shows this certificate; empty if it is turned away."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=own)
    context.set_alpn_protocols(["h2"])
    if shown:
        context.load_cert_chain(*shown)
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(place)
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(GREETING)
                return stream.recv(9)
        except (ssl.SSLError, ConnectionError):
            return b""


def test_only_the_expected_client_is_answered(started, client):
    place, own, expected = started
    other = client("other")
    # Settings of HTTP/2, the only frame that may come first.
    assert greeted(place, own, expected)[3:4] == b"\x04"
    assert greeted(place, own, other) == b""
    assert greeted(place, own) == b""
    # Its certificate without its key can't even be shown.
    with pytest.raises(ssl.SSLError):
        greeted(place, own, (expected[0], other[1]))
    # Nor is anybody answered who speaks without TLS.
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(place)
        plain.sendall(GREETING)
        assert plain.recv(64)[3:4] != b"\x04"
    # Who was turned away has done no harm.
    assert greeted(place, own, expected)[3:4] == b"\x04"
