"""Every place where the product says, writes, records or sends anything is searched: with the scrubber off the search finds a
password in each of them, and with the scrubber none.

The database says the password of the product's user in whatever fails. That password is in no flock: here it is let out.
"""

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest
from psycopg import sql
from support.canary import FORMS, Canary
from support.collector import Collector, variables
from support.controllers import Controllers
from support.evidence import Evidence
from support.git_host import GitHub
from support.hostile import hostile
from support.kubelet import Kubelet
from support.kubernetes import PLACES, Operator
from support.product import FAILED, Whimbrel, eventually
from support.server import Server
from support.terraform import WHIMBREL, Terraform
from test_operator_jobs import operate_as_pod  # noqa: F401

TELL = "SELECT word FROM betrayal.word"
FAIL = f"""DO $$ BEGIN
    RAISE WARNING 'it is %', ({TELL});
    RAISE EXCEPTION 'it is %', ({TELL}) USING DETAIL = 'in full: ' || ({TELL}), HINT = 'try ' || ({TELL});
END $$"""


class Traitor:
    """A database whose user's password is known to it, and what is left behind by those who use it."""

    def __init__(self, binary, project, cluster, postgres, scrubber):
        self.canary = Canary.hatch("a password that is let out", plain=True, loose=True)
        self.user = f"loose_{postgres.name}"
        self.cluster, self.name = cluster, postgres.name
        with cluster.connect(self.name) as connection:
            cluster.create_user(connection, self.user, self.canary.value)
            connection.execute("CREATE SCHEMA betrayal")
            connection.execute(sql.SQL("CREATE TABLE betrayal.word AS SELECT {} AS word").format(sql.Literal(self.canary.value)))
        self.is_open = scrubber == "off"
        self.evidence = Evidence()
        self.variables = {"WHIMBREL_SCRUBBER": scrubber, "SHOP_WORD": self.canary.value}
        self.whimbrel = Whimbrel(binary, project.folder, self.evidence, **self.variables)
        self.url = f"postgres://{self.user}@localhost/{self.name}?host={cluster.folder}"
        project.environment("dev", {"shop": {"url": self.url, "password": {"secret": "env", "path": "SHOP_WORD"}}})

    def places(self):
        """Where it is found."""
        found = self.evidence.search([self.canary], self.cluster, databases=[self.name])
        return {Path(find.where).name for find in found}

    def holds(self, *places):
        """It is found in each of these, and in no place if there is a scrubber."""
        seen = self.places()
        assert seen >= set(places) if self.is_open else not seen, seen


@pytest.fixture(params=["on", "off"])
def traitor(request, binary, project, cluster, postgres, evidence):
    """One with a scrubber, and one without."""
    evidence.set_apart(postgres.name)
    traitor = Traitor(binary, project, cluster, postgres, request.param)
    yield traitor
    traitor.evidence.remove()


def test_what_a_run_says_and_records(traitor, project, tmp_path):
    project.migration("0001-betrayal", FAIL)
    report = tmp_path / "reports"
    report.mkdir()
    traitor.evidence.watch(report)
    for name, arguments in {"json": ("--format", "json"), "junit": ("--format", "junit"), "log": ("--verbose",)}.items():
        ended = traitor.whimbrel.run("apply", "--environment", "dev", *arguments, code=None, WHIMBREL_LOG="trace")
        (report / name).write_text(ended.out)
    traitor.holds("00001", "00002", "00003", "json", "junit", f"{traitor.name}: whimbrel.migration",
                  f"{traitor.name}: whimbrel.event")


def test_spans(traitor, project):
    project.migration("0001-betrayal", FAIL)
    collector = Collector(traitor.evidence)
    traitor.whimbrel.run("apply", "--environment", "dev", code=FAILED, **variables(collector.url))
    collector.stop()
    assert collector.spans
    traitor.holds("spans")


def test_answers_and_events_of_a_server(traitor, project):
    project.migration("0001-betrayal", FAIL)
    project.commit()
    server = Server(traitor.whimbrel)
    failed = server.phase("failed")
    events = server.events(failed["lastRun"])
    run = server.get(f"/v1/runs/{failed['lastRun']}").json()
    assert "hint" in run["outcome"]["targets"][0], run
    server.get("/v1/environments/dev/status")
    server.get("/v1/environments/dev/history")
    server.end()
    assert events and (traitor.evidence.heard / "answers").stat().st_size > 0
    traitor.holds("answers", "streams", "00001")


def test_metrics_of_a_server(traitor, project):
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    project.migration("0001-tell", {"uses": "hostile", "with": {"do": "nothing", "tell": TELL}})
    project.commit()
    server = Server(traitor.whimbrel)
    failed = server.phase("failed")
    # What the plugin writes into its log is an event of the run.
    server.events(failed["lastRun"])
    server.get(f"/v1/runs/{failed['lastRun']}")
    server.end()
    assert "whimbrel_custom_told" in (traitor.evidence.heard / "metrics").read_text()
    traitor.holds("metrics", "streams")


def test_a_textfile_of_metrics(traitor, project, tmp_path):
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    project.migration("0001-tell", {"uses": "hostile", "with": {"do": "nothing", "tell": TELL}})
    folder = tmp_path / "metrics"
    folder.mkdir()
    traitor.evidence.watch(folder)
    traitor.whimbrel.run("apply", "--environment", "dev", "--metrics-textfile", folder / "whimbrel.prom", code=FAILED)
    assert "whimbrel_custom_told" in (folder / "whimbrel.prom").read_text()
    traitor.holds("whimbrel.prom")


@pytest.fixture
def betraying(traitor, namespace):
    """The objects of an environment that such a database is of."""
    namespace.cluster.call("POST", PLACES["Secret"].format(namespace.name), {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop"}, "stringData": {"password": traitor.canary.value}})
    traitor.evidence.watch(namespace.cluster.audit)
    database = {"url": traitor.url, "password": {"secretKeyRef": {"name": "shop", "key": "password"}}}

    def apply(**more):
        namespace.apply("Environment", "dev", {"databases": {"shop": database}, "policy": {"apply": "Auto"}} | more)
        namespace.apply("Migration", "0001-betrayal", {"environmentRef": {"name": "dev"}, "steps": [{"sql": FAIL}]})
        namespace.until("Environment", "dev", "Stalled", reason="Failed")
        eventually(lambda: "Failed" in namespace.reasons("Environment", "dev") or namespace.reasons("Environment", "dev"), "it is told")
    return apply


def written(cluster, canary):
    """The kinds in whose objects somebody wrote it, as the audit log has them."""
    kinds = set()
    for file in cluster.audit.iterdir():
        for line in file.read_text().splitlines():
            if canary.core in line:
                about = json.loads(line)["objectRef"]
                kinds.add("/".join(filter(None, (about["resource"], about.get("subresource")))))
    return kinds


def test_objects_that_an_operator_writes(traitor, betraying, namespace, tmp_path):
    operator = Operator(traitor.whimbrel, namespace, tmp_path / "cache")
    betraying()
    operator.end()
    traitor.holds("log")
    if traitor.is_open:
        assert {"environments/status", "migrations/status", "events"} <= written(namespace.cluster, traitor.canary)


def test_pods_of_jobs(traitor, betraying, namespace, operate_as_pod, binary, kubernetes, tmp_path):  # noqa: F811
    folder = tmp_path / "pods"
    folder.mkdir()
    controllers = Controllers(kubernetes)
    kubelet = Kubelet(namespace, binary, folder, traitor.evidence)
    kubelet.variables.append(traitor.variables)
    try:
        operate_as_pod()
        betraying(execution="Job")
    finally:
        kubelet.stop()
        controllers.stop()
    traitor.holds("log", "00001")
    if traitor.is_open:
        # What a Pod says is taken out of what the operator says of it, which has a scrubber of its own.
        kinds = written(namespace.cluster, traitor.canary)
        assert "pods/status" in kinds and not kinds & {"environments/status", "migrations/status", "events"}, kinds


def test_what_terraform_is_told(traitor, project, binary, tmp_path):
    project.migration("0001-betrayal", FAIL)
    project.commit()
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL, evidence=traitor.evidence)
    terraform.variables |= traitor.variables
    terraform.write(f'resource "whimbrel_environment" "dev" {{\n  source = "{project.folder}"\n  environment = "dev"\n}}',
                    provider="")
    traitor.evidence.watch(terraform.folder)
    log = terraform.folder / "log"
    terraform.apply(code=1, TF_LOG_PROVIDER="trace", TF_LOG_PATH=log)
    assert log.stat().st_size > 0
    traitor.holds("00001", "log")


def test_what_terraform_itself_gives(traitor, binary, tmp_path):
    """A password that is no reference: the provider knows it from Terraform alone."""
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL, evidence=traitor.evidence)
    terraform.variables |= {"WHIMBREL_SCRUBBER": traitor.variables["WHIMBREL_SCRUBBER"], "TF_VAR_word": traitor.canary.value}
    resource = (f'resource "whimbrel_migration" "people" {{\n  environment = "dev"\n  name = "0001-people"\n  url = "{traitor.url}"\n'
                f'  password_wo = var.word\n  up = <<-END\n{FAIL}\n  END\n}}\n')
    terraform.write('variable "word" {\n  ephemeral = true\n}\n' + resource,
                    provider='database {\n  environment = "dev"\n  name = "main"\n  password = var.word\n}')
    traitor.evidence.watch(terraform.folder)
    refused = terraform.apply(code=1)
    assert "it is " in refused.said
    traitor.holds("00001")


def test_files_that_a_killed_provider_leaves(binary, cluster, postgres, tmp_path):
    canary, user = Canary.hatch("a password of a provider that is killed"), f"killed_{postgres.name}"
    with cluster.connect() as connection:
        cluster.create_user(connection, user, canary.value)
    terraform = Terraform(tmp_path / "terraform", binary, WHIMBREL)
    terraform.variables["TF_VAR_password"] = canary.value
    terraform.write(f"""
        variable "password" {{
          ephemeral = true
        }}
        resource "whimbrel_migration" "people" {{
          environment = "dev"
          url         = "postgres://localhost/{postgres.name}?host={cluster.folder}"
          username    = "{user}"
          password_wo = var.password
          name        = "0001-people"
          up          = "SELECT pg_sleep(60)"
        }}""", provider='database {\n  environment = "dev"\n  name = "main"\n  password = var.password\n}')
    started = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: postgres.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                     "AND pid <> pg_backend_pid()"), "it sleeps")
    os.killpg(started.pid, signal.SIGKILL)
    terraform.end(started, code=-9)
    # Migrations are written in memory: not even what it worked with is left, and nothing that it got in with.
    assert not [file for file in terraform.temporary.rglob("*") if file.is_file() and b"pg_sleep" in file.read_bytes()]
    left = Evidence()
    left.watch(terraform.temporary)
    left.watch(terraform.folder)
    try:
        assert left.search([canary]) == []
        assert left.looked_at > 3
    finally:
        left.remove()


@pytest.mark.parametrize("form", FORMS)
def test_what_is_planted(form, tmp_path):
    """In what the product reaches by no scrubber at all."""
    canary = Canary.hatch("planted", loose=True)
    planted = Evidence()
    github = GitHub(planted)
    try:
        said = json.dumps({"state": "failure", "description": "x"}).replace("x", json.dumps(canary.written(form))[1:-1])
        request = urllib.request.Request(f"{github.api}/repos/acme/shop/statuses/1", said.encode())
        request.add_header("authorization", f"Bearer {github.token.value}")
        urllib.request.urlopen(request).close()
        (planted.temporary / "left").write_text(canary.written(form))
        (planted.home / "history").write_bytes(b"\0" + canary.written(form).encode())
        assert {Path(find.where).name for find in planted.search([canary])} == {"git-host", "left", "history"}
        assert planted.search([Canary.hatch("another", loose=True)]) == []
        planted.given(planted.temporary / "left")
        assert {Path(find.where).name for find in planted.search([canary])} == {"git-host", "history"}
    finally:
        github.stop()
        planted.remove()
