"""The doors of `whimbrel serve`: who gets in, from where, and how much of it one visitor may take."""

import json
import socket
import ssl
import time

import pytest
from support.canary import Canary
from support.git_server import certificate
from support.product import USAGE
from support.waiting import eventually


def test_it_listens_on_a_socket_for_its_user_only(serve, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    path = tmp_path / "whimbrel.sock"
    server = serve(listen=f"unix:{path}")
    server.phase("current")
    assert path.stat().st_mode & 0o777 == 0o600
    server.running.kill()
    server.running.end(code=None)
    # What a killed one left is no obstacle, and a living one is.
    server = serve(listen=f"unix:{path}")
    server.phase("current")
    ended = _refused(server, "--listen", f"unix:{path}")
    assert "another process listens" in ended.err
    server.end()
    assert not path.exists()


def _refused(server, *arguments):
    """Starts another server that must not start."""
    whimbrel = server.whimbrel
    return whimbrel.run("serve", *arguments, code=USAGE)


def test_it_is_open_to_nobody_from_elsewhere(whimbrel, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    ended = whimbrel.run("serve", "--listen", "0.0.0.0:0", code=USAGE)
    assert "nothing says who may do what" in ended.err and "--token" in ended.err
    ended = whimbrel.run("serve", "--listen", "0.0.0.0:0", "--token", "secret://env/SHORT", code=USAGE, SHORT="abc")
    assert "shorter than 16" in ended.err
    ended = whimbrel.run("serve", "--token", "secret://env/NOWHERE", code=USAGE)
    assert "NOWHERE" in ended.err


def test_a_page_in_a_browser_gets_nothing(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    server = serve()
    server.get("/v1/environments", status=421, host="evil.example")
    body = json.dumps({"plan": "0" * 64})
    server.post("/v1/environments/dev/apply", body, status=415, content_type="text/plain")
    server.end()


def test_requests_are_bounded(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    server = serve()
    server.phase("current")
    path = "/v1/environments/dev/apply"
    server.post(path, {"plan": "0" * (100 << 10)}, status=413)
    server.post(path, "{", status=400, content_type="application/json")
    server.post(path, {"plan": "0" * 64, "force": True}, status=400)
    server.post(path, {"plan": "0" * 64}, status=400, idempotency_key="k" * 300)
    server.get("/v1/environments/dev?x=" + "y" * (64 << 10), status=431)
    server.get("/v1/environments/nowhere", status=404)
    server.get("/v1/runs/nowhere", status=404)
    server.get("/nowhere", status=404)
    server.post("/healthz", status=405)
    server.post("/v1/sources/nowhere/sync", status=404)
    server.get("/v1/environments/dev/plan?limit=1", status=400)
    assert server.get("/healthz").json() == {"status": "alive"}
    server.end()


@pytest.fixture
def served_by_tls(serve, project, sqlite, tmp_path):
    """Starts servers with a certificate; gives them with what trusts them."""
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    authority, (chain, key) = certificate(tmp_path / "tls")

    def start(*arguments, **options):
        options.setdefault("trust", ssl.create_default_context(cafile=authority))
        return serve("--tls-certificate", chain, "--tls-key", key, *arguments, **options)

    start.authority, start.chain, start.key = authority, chain, key
    return start


def test_a_token_gets_in_over_tls(served_by_tls):
    token = Canary.hatch("a token", plain=True).value
    server = served_by_tls("--token", "ann=secret://env/TOKEN", token=token, TOKEN=token)
    assert server.phase("current")
    server.token = None
    server.get("/v1/environments", status=401)
    server.get("/v1/environments", status=401, authorization="Bearer " + str(token)[:-1])
    assert server.get("/healthz").json() == {"status": "alive"}
    host, port = server.place.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        plain.settimeout(10)
        assert not plain.recv(4_096).startswith(b"HTTP/1.1 200")


def test_a_certificate_of_the_authority_gets_in(served_by_tls, tmp_path):
    trust = ssl.create_default_context(cafile=served_by_tls.authority)
    trust.load_cert_chain(served_by_tls.chain, served_by_tls.key)
    server = served_by_tls("--tls-client-authority", served_by_tls.authority, trust=trust)
    environment = server.phase("current")
    run = server.get(f"/v1/runs/{environment['lastRun']}").json()
    assert run["actor"] and run["state"] != "running", run

    # Without one only probes are answered, and one of somebody else's is refused.
    server.trust = ssl.create_default_context(cafile=served_by_tls.authority)
    assert server.get("/healthz").json() == {"status": "alive"}
    server.get("/v1/environments", status=401)
    _, (chain, key) = certificate(tmp_path / "other")
    server.trust.load_cert_chain(chain, key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.get("/healthz")


def test_a_certificate_is_enough_where_everybody_may_come_from(served_by_tls):
    server = served_by_tls("--tls-client-authority", served_by_tls.authority, listen="0.0.0.0:0")
    assert server.place.startswith("0.0.0.0:")
    # Its certificate is for this address.
    server.place = server.place.replace("0.0.0.0", "127.0.0.1")
    assert server.get("/healthz").json() == {"status": "alive"}
    for path in ("/v1/environments", "/v1/sources", "/metrics", "/v1/environments/dev/plan"):
        server.get(path, status=401)
    server.get("/v1/environments", status=401, authorization="Bearer nobody")
    order = {"plan": "sha256:" + "0" * 64}
    server.post("/v1/environments/dev/apply", order, status=401)
    server.trust.load_cert_chain(served_by_tls.chain, served_by_tls.key)
    server.phase("current")
    assert server.post("/v1/environments/dev/apply", order, status=409).json()["type"] == "plan-changed"
    server.post("/v1/environments/dev/apply", {"plan": server.environment()["plan"]["digest"]}, status=200)
    server.end()


def test_a_port_that_only_says_who_it_is_itself_is_open_to_nobody(whimbrel, served_by_tls):
    tls = ["--tls-certificate", served_by_tls.chain, "--tls-key", served_by_tls.key]
    ended = whimbrel.run("serve", "--listen", "0.0.0.0:0", *tls, code=USAGE)
    assert "nothing says who may do what" in ended.err


def test_who_takes_all_connections_keeps_them_for_half_a_minute_at_most(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    server = serve()
    server.phase("current")
    server.get("/openapi.json")
    host, port = server.place.rsplit(":", 1)
    begun = time.monotonic()
    idle = [socket.create_connection((host, int(port))) for _ in range(300)]
    for connection in idle:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert server.get("/healthz").json() == {"status": "alive"}
    assert 5 < time.monotonic() - begun < 60
    for connection in idle:
        connection.close()


def test_several_sources_and_a_name_that_two_of_them_have(serve, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    other = type(project)(tmp_path / "stock")
    other.environment("stock", {"shop": f"sqlite:{tmp_path}/stock.db"})
    other.environment("dev", {"shop": f"sqlite:{tmp_path}/never.db"})
    other.table("0001-shelves")
    server = serve("--source", f"a={project.folder}", "--source", f"b={other.folder}")
    kept = server.phase("current")["source"]
    assert server.phase("current", "stock")["source"] == "b"
    sources = {source["name"]: source["environments"] for source in server.get("/v1/sources").json()["sources"]}
    # Whoever comes first has the name; the other one's is never run.
    assert sources == {"a": ["dev"] if kept == "a" else [], "b": ["stock"] if kept == "a" else ["dev", "stock"]}
    assert (tmp_path / "never.db").exists() == (kept == "b")
    assert sqlite.tables() == ({"people"} if kept == "a" else set())
    _refused(server, "--source", f"a={project.folder}", "--source", f"a={other.folder}")
    # Each has a bell of its own.
    other.table("0002-pallets")
    server.ring("b")
    eventually(lambda: server.get("/v1/environments/stock/history").body.count("0002-pallets"), "it rang")
