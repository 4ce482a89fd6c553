"""Addresses, passwords and parameters from outputs of the real Terraform, and nothing else of its state."""

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest
from support.answers import digest
from support.canary import Canary
from support.product import FAILED, OK, REFUSED, RETRY
from support.state_server import USER, StateServer
from support.terraform import Terraform

STATE = "/states/shop"


class Infrastructure:
    """What Terraform made: a state with outputs, and with secrets that are nobody's business."""

    def __init__(self, binary, cluster, target):
        # Elsewhere than evidence is looked for: a state is full of secrets.
        self.folder = Path(tempfile.mkdtemp(prefix="wbtf-"))
        self.terraform = Terraform(self.folder / "infra", binary)
        # The backup of a state, its resources and its other outputs must be nowhere: the whole suite is searched for it.
        self.other = Canary.hatch("a secret of another resource", plain=True)
        self.url, self.password = target.url, None
        if target.dialect == "sqlite":
            self.url = f"sqlite://{target.file}"
        else:
            user = f"by_terraform_{target.name}"
            self.password = Canary.hatch("a password by Terraform", plain=True)
            with cluster.connect() as connection:
                cluster.create_user(connection, user, self.password.value)
            self.url = f"postgres://{user}@localhost/{target.name}?host={cluster.folder}"
        self.outputs = {"database_url": self.url, "table": "people", "names": {"first": "Ada", "number": 7}}

    def apply(self, backend=""):
        """Has Terraform write the state."""
        text = [backend, f'resource "terraform_data" "other" {{\n  input = sensitive("{self.other.value}")\n}}']
        for name, value in self.outputs.items():
            text.append(f'output "{name}" {{\n  value = jsondecode({json.dumps(json.dumps(value))})\n}}')
        if self.password:
            text.append(f'output "database_password" {{\n  value = "{self.password.value}"\n  sensitive = true\n}}')
        (self.terraform.folder / "main.tf").write_text("\n".join(text) + "\n")
        if backend:
            self.terraform.run("init", "-no-color", "-reconfigure")
        self.terraform.apply()
        return self

    @property
    def state(self):
        """The file of the local backend."""
        return self.terraform.folder / "terraform.tfstate"


@pytest.fixture
def infrastructure(binary, cluster, target):
    """A configuration of Terraform for a database of each dialect."""
    made = Infrastructure(binary, cluster, target)
    yield made
    shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def states(cluster):
    """A server of states."""
    server = StateServer()
    yield server
    server.stop()


def configure(project, origin, grants, password=None, url=None, **parameters):
    """An environment whose database and parameters come from outputs."""
    project.declare(plugins={"terraform-state": {"builtin": "terraform-state", "grants": grants}})
    database = {"url": url or {"secret": "terraform", "path": "database_url"}}
    if password:
        database["password"] = "secret://terraform/database_password"
    project.environment("dev", {"shop": database}, parameters=parameters,
                        secrets={"terraform": {"plugin": "terraform-state", "with": {"from": origin}}})


def local(project, infrastructure, url=None, **parameters):
    """The same over the file."""
    configure(project, {"local": {"path": str(infrastructure.state)}},
              {"files": [str(infrastructure.state.parent)]}, infrastructure.password, url, **parameters)


def over_http(project, infrastructure, states, url=None, grants=None, **parameters):
    """The same over the server; gives the variables that let the product in."""
    origin = {"http": {"address": states.origin + STATE, "username": USER,
                       "password": {"secret": "env", "path": "TF_HTTP_PASSWORD"}}}
    granted = {"http": [{"to": "config:/from/http/address"}]} if grants is None else grants
    configure(project, origin, granted, infrastructure.password, url, **parameters)
    return {"TF_HTTP_PASSWORD": states.password.value}


def backend(states):
    """Terraform's own words for the server."""
    return (f'terraform {{\n  backend "http" {{\n    address = "{states.origin}{STATE}"\n'
            f'    lock_address = "{states.origin}{STATE}"\n    unlock_address = "{states.origin}{STATE}"\n'
            f'    username = "{USER}"\n  }}\n}}')


def people(project):
    """A migration whose table and row come from parameters."""
    project.migration("0001-people", ("CREATE TABLE ${table} (name text)", "DROP TABLE ${table}"),
                      ("INSERT INTO ${table} VALUES (${first:literal})", ""))


def from_terraform(output, key=None):
    """A reference."""
    return {"secret": "terraform", "path": output} | ({"key": key} if key else {})


def test_a_database_is_where_a_local_state_says(project, whimbrel, target, infrastructure):
    infrastructure.apply()
    local(project, infrastructure, table=from_terraform("table"), first=from_terraform("names", "first"))
    people(project)
    assert "people" in whimbrel.run("plan").said
    whimbrel.run("lint")
    checked = whimbrel.json("secrets", "check")
    assert {line["place"] for line in checked["references"]} >= {"parameters.table", "databases.shop.url"}
    whimbrel.run("apply")
    assert target.rows("SELECT name FROM people") == [("Ada",)]
    assert whimbrel.run("status").code == OK


def test_a_database_is_where_a_server_s_state_says(project, whimbrel, target, infrastructure, states):
    infrastructure.terraform.variables["TF_HTTP_PASSWORD"] = states.password.value
    infrastructure.apply(backend(states))
    assert ("LOCK", STATE) in states.requests
    states.requests.clear()
    access = over_http(project, infrastructure, states, table=from_terraform("table"), first="Grace")
    people(project)
    whimbrel.run("apply", **access)
    assert target.rows("SELECT name FROM people") == [("Grace",)]
    assert set(states.requests) == {("GET", STATE)}
    guessed = Canary.hatch("a guessed password of the states", plain=True).value
    ended = whimbrel.run("status", code=FAILED, TF_HTTP_PASSWORD=guessed)
    assert "terraform.unauthenticated" in ended.said and guessed not in ended.said
    # A name that is nearly right, in a state of which everything was heard.
    over_http(project, infrastructure, states, table=from_terraform("tabel"), first="Grace")
    ended = whimbrel.run("plan", code=FAILED, **access)
    assert "terraform.no-output" in ended.said and "did you mean `table`?" in ended.said
    states.states.clear()
    assert "terraform.no-state" in whimbrel.run("plan", code=FAILED, **access).said


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_a_part_of_an_address_is_an_output(project, whimbrel, target, infrastructure):
    infrastructure.outputs["server"] = {"folder": str(target.cluster.folder), "database": target.name,
                                        "user": f"by_terraform_{target.name}"}
    infrastructure.apply()
    parts = {name: from_terraform("server", name) for name in ("folder", "database", "user")}
    local(project, infrastructure, "postgres://${user}@localhost/${database}?host=${folder}", **parts)
    project.table("0001-people")
    whimbrel.run("apply")
    assert target.tables() == {"people"}


def test_another_output_is_another_plan(project, whimbrel, target, infrastructure):
    infrastructure.apply()
    local(project, infrastructure, table=from_terraform("table"), first=from_terraform("names", "number"))
    people(project)
    before = digest(whimbrel.json("plan", code=None))
    assert before == digest(whimbrel.json("plan", code=None))
    infrastructure.outputs["table"] = "persons"
    infrastructure.apply()
    whimbrel.run("apply", "--plan", before, code=REFUSED)
    assert target.tables() == set()
    whimbrel.run("apply")
    assert target.tables() == {"persons"}
    # What was applied is taken back with the value that it was applied with.
    infrastructure.outputs["table"] = "elsewhere"
    infrastructure.apply()
    assert whimbrel.run("status").code == OK
    whimbrel.run("revert", "0001-people")
    assert target.tables() == set()


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_what_is_sensitive_is_no_parameter(project, whimbrel, target, infrastructure, monkeypatch):
    infrastructure.apply()
    monkeypatch.setenv("A_TABLE", "a_table_in_a_variable")
    people(project)
    for reference, said in (
        (from_terraform("database_password"), infrastructure.password.value),
        ({"secret": "env", "path": "A_TABLE"}, "a_table_in_a_variable"),
    ):
        local(project, infrastructure, table=reference, first="Ada")
        ended = whimbrel.run("plan", code=FAILED)
        assert "the parameter `table`" in ended.said and "it is a secret" in ended.said
        assert said not in ended.said
        checked = whimbrel.run("secrets", "check", code=FAILED)
        assert "it is a secret" in checked.said and said not in checked.said
    assert target.tables() == set()


def test_nothing_is_read_that_is_not_granted(project, whimbrel, target, infrastructure, states):
    infrastructure.apply()
    project.table("0001-people")
    elsewhere = infrastructure.folder / "elsewhere"
    elsewhere.mkdir()
    # A link out of the granted folder leads nowhere.
    (elsewhere / "terraform.tfstate").symlink_to(infrastructure.state)
    for path, folders in ((infrastructure.state, []), (infrastructure.state, [str(elsewhere)]),
                          (elsewhere / "terraform.tfstate", [str(elsewhere)])):
        configure(project, {"local": {"path": str(path)}}, {"files": folders} if folders else {})
        ended = whimbrel.run("plan", code=None)
        assert ended.code in (FAILED, RETRY) and "files." in ended.said, ended
    access = over_http(project, infrastructure, states, grants={})
    assert "http.denied" in whimbrel.run("plan", code=FAILED, **access).said
    access = over_http(project, infrastructure, states, grants={"http": [{"to": f"{states.origin}/states/bank"}]})
    assert "http.denied" in whimbrel.run("plan", code=FAILED, **access).said
    assert states.requests == []
    assert target.tables() == set()


def test_a_state_that_is_being_written_is_waited_for(project, whimbrel, target, infrastructure):
    infrastructure.apply()
    whole = infrastructure.state.read_bytes()
    infrastructure.state.write_bytes(whole[:len(whole) // 2])

    def finish():
        time.sleep(1)
        infrastructure.state.write_bytes(whole)

    local(project, infrastructure)
    project.table("0001-people")
    writer = threading.Thread(target=finish)
    writer.start()
    whimbrel.run("apply")
    writer.join()
    assert target.tables() == {"people"}
