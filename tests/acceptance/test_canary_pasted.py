"""A secret that somebody pasted where none belongs: into a definition, or into what a database has recorded. Whoever knows it
already says what is wrong without it; with the scrubber off the search finds it in each place.
"""

import pytest
from support.kubernetes import PLACES, Operator
from support.kubernetes_sources import Followed
from support.product import eventually
from support.server import Server
from test_canary_sinks import TELL, Traitor, written

# Nothing at first, and the secret as soon as somebody is there.
TELLING = f"SELECT CASE WHEN EXISTS (SELECT FROM people) THEN ({TELL}) ELSE '' END"


@pytest.fixture(params=["on", "off"])
def careless(request, binary, project, cluster, postgres, evidence):
    """Somebody with a scrubber, and somebody without."""
    evidence.set_apart(postgres.name)
    careless = Traitor(binary, project, cluster, postgres, request.param)
    yield careless
    careless.evidence.remove()


def says(careless, text, *words):
    """Whether a text says what is wrong, with the secret or with what stands for it."""
    word = careless.canary.value if careless.is_open else "[redacted]"
    return all(part in text for part in (word, *words))


def test_definitions_that_a_server_reads(careless, project):
    project.table("0001-people")
    project.commit()
    server = Server(careless.whimbrel)
    server.phase("current")
    project.migration("0002-pasted", "SELECT 1", **{careless.canary.value: True})
    project.commit()
    server.ring()
    eventually(lambda: says(careless, server.environment().get("syncError", ""), "0002-pasted.yaml"), "the environment says it")
    [source] = server.get("/v1/sources").json()["sources"]
    assert source["syncStatus"] == "fresh", "the project itself can be read"
    project.remove("migrations/0002-pasted.yaml")
    project.declare(**{careless.canary.value: True})
    project.commit()
    server.ring()
    eventually(lambda: says(careless, server.get("/v1/sources").json()["sources"][0].get("error", ""), "whimbrel.yaml"),
               "the source says it")
    server.end()
    careless.holds("answers", "00001")


def test_drift_that_a_server_tells(careless, project):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", checks={
        "after": [{"name": "nothing is told", "query": TELLING, "equals": ""}],
    })
    project.commit()
    server = Server(careless.whimbrel, "--drift-interval", "200ms")
    server.phase("current")
    with careless.cluster.connect(careless.name) as connection:
        connection.execute("INSERT INTO people VALUES (1)")
    eventually(lambda: server.environment().get("drift", {}).get("migrations") == 1, "it differs")
    ended = server.end()
    assert says(careless, ended.err, "it isn't as it was applied", "nothing is told")
    careless.holds("00001")


@pytest.fixture
def kept(careless, namespace):
    """The Secret that objects refer to."""
    namespace.cluster.call("POST", PLACES["Secret"].format(namespace.name), {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"password": careless.canary.value}})
    careless.evidence.watch(namespace.cluster.audit)
    return {"url": careless.url, "password": {"secretKeyRef": {"name": "shop", "key": "password"}}}


def test_drift_that_an_operator_tells(careless, kept, namespace, tmp_path):
    operator = Operator(careless.whimbrel, namespace, tmp_path / "cache", "--drift-interval", "200ms")
    namespace.apply("Environment", "dev", {"databases": {"shop": kept}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-people", {
        "environmentRef": {"name": "dev"}, "steps": [{"sql": "CREATE TABLE people (id bigint)"}],
        "checks": {"after": [{"name": "nothing is told", "query": TELLING, "equals": ""}]}})
    namespace.until("Migration", "0001-people", "Succeeded")
    namespace.until("Environment", "dev", "Ready", reason="Current")
    with careless.cluster.connect(careless.name) as connection:
        connection.execute("INSERT INTO people VALUES (1)")
    namespace.told("Environment", "dev", "DriftDetected")
    operator.end()
    careless.holds("log")
    if careless.is_open:
        assert "events" in written(namespace.cluster, careless.canary)


def test_what_a_database_has_recorded_and_an_operator_tells(careless, kept, namespace, tmp_path):
    """Of a run whose secrets were others."""
    operator = Operator(careless.whimbrel, namespace, tmp_path / "cache", "--resync", "500ms")
    namespace.apply("Environment", "dev", {"databases": {"shop": kept}, "policy": {"apply": "Auto"}})
    namespace.apply("Migration", "0001-people", {"environmentRef": {"name": "dev"}, "steps": [{"sql": "SELECT nothing"}]})
    namespace.until("Migration", "0001-people", "Stalled", reason="Failed")
    with careless.cluster.connect(careless.name) as connection:
        connection.execute("UPDATE whimbrel.migration SET error = 'it was ' || (SELECT word FROM betrayal.word)")
    eventually(lambda: says(careless, str(namespace.get("Migration", "0001-people")), "it was "), "it is told")
    with careless.cluster.connect(careless.name) as connection:
        connection.execute("UPDATE whimbrel.migration SET error = ''")
    operator.end()
    careless.holds("log")
    if careless.is_open:
        assert "migrations/status" in written(namespace.cluster, careless.canary)


def test_definitions_that_an_operator_reads(careless, namespace, http, served, tmp_path):
    project, database = served.project, {"url": careless.url, "password": {"secret": "env", "path": "SHOP_WORD"}}
    careless.evidence.watch(namespace.cluster.audit)
    project.environment("dev", {"shop": database})
    project.commit()
    served.push()
    operator = Operator(careless.whimbrel, namespace, tmp_path / "cache", "--local-secrets")
    followed = Followed(namespace, http, served).begin("dev")
    followed.until("dev", "Current")
    project.declare(**{careless.canary.value: True})
    project.commit()
    followed.push()
    eventually(lambda: says(careless, str(namespace.get("GitSource", "shop").get("status")), "whimbrel.yaml"), "it is told")
    operator.end()
    careless.holds("log")
    if careless.is_open:
        assert "gitsources/status" in written(namespace.cluster, careless.canary)
