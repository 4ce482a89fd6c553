"""A push concerns the databases whose definitions it changes: for it alone, no other one is asked."""

import json

import pytest
from support.git_host import push
from support.waiting import eventually


class Pushing:
    """An environment with a database of each dialect, `shop` and `ledger`, and pushes to it."""

    def __init__(self, hosted, sqlite, postgres):
        self.hosted = hosted
        self.project = hosted.project
        self.databases = {"shop": f"sqlite:{sqlite.file}", "ledger": postgres.url}
        self.declare()
        self.ledger("0001-accounts")
        hosted.publish("Accounts")

    def declare(self, **spec):
        """Writes the environment."""
        self.project.environment("dev", self.databases, branch="main", **spec)

    def ledger(self, name):
        """Writes a migration of `ledger`."""
        self.project.migration(name, f"CREATE TABLE {name.split('-')[1]} (id bigint)", database="ledger")

    def push(self, server, message="Change the shop"):
        """Pushes what was changed, and the host says so; gives the commit."""
        commit = self.hosted.publish(message)
        push(commit, self.hosted.secret).send(server, status=202)
        return commit

    def stands(self, server, commit):
        """Waits until a commit is everywhere; gives how the environment stands."""
        eventually(lambda: server.environment()["revision"] == commit, "it is planned")
        return server.phase("current")


@pytest.fixture
def two(hosted, sqlite, postgres):
    """Such an environment."""
    return Pushing(hosted, sqlite, postgres)


def test_a_push_asks_only_the_databases_that_it_changes(hosted, two, cluster, sqlite, postgres):
    server = hosted.serve()
    with cluster.without(postgres.name):
        hosted.project.table("0002-pets")
        commit = two.push(server)
        hosted.wait_for(sqlite, "people", "pets")
        stood = two.stands(server, commit)
        # A commit that changes no definition changes nothing for anybody.
        hosted.project.write("README.md", "A shop.")
        assert two.stands(server, two.push(server))["plan"] == stood["plan"]
        # Somebody who asks without having pushed asks for everything.
        server.ring("shop")
        server.phase("retrying")
    server.ring("shop")
    assert server.phase("current")["plan"] == stood["plan"], "it is the plan of all databases"
    hosted.end(server)


def test_what_counts_for_all_databases_asks_all(hosted, two, cluster, postgres):
    server = hosted.serve()
    changes = {
        "the environment": lambda: two.declare(policy={"lockWait": "6s"}),
        "the project": lambda: hosted.project.declare(lint={"rules": {"prefer-bigint-over-int": "Off"}}),
        "its own migrations": lambda: two.ledger("0002-entries"),
    }
    for what, change in changes.items():
        with cluster.without(postgres.name):
            change()
            commit = two.push(server, what)
            server.phase("retrying")
        server.ring("shop")
        two.stands(server, commit)
    assert postgres.tables() == {"accounts", "entries"}
    hosted.end(server)


def test_a_value_that_changed_elsewhere_asks_all(hosted, two, cluster, postgres, tmp_path):
    state = tmp_path / "terraform.tfstate"

    def say(color):
        outputs = {"color": {"value": color, "type": "string"}}
        state.write_text(json.dumps({"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "shop",
                                     "outputs": outputs, "resources": []}))

    def change(text):
        """A commit that changes no definition."""
        hosted.project.write("README.md", text)
        return two.push(server)

    say("red")
    grants = {"files": [str(tmp_path)]}
    hosted.project.declare(plugins={"terraform-state": {"builtin": "terraform-state", "grants": grants}})
    two.declare(parameters={"color": {"secret": "terraform", "path": "color"}}, secrets={
        "terraform": {"plugin": "terraform-state", "with": {"from": {"local": {"path": str(state)}}}}})
    hosted.publish("Colors")
    server = hosted.serve()
    with cluster.without(postgres.name):
        two.stands(server, change("A shop."))
        say("blue")
        commit = change("A blue shop.")
        server.phase("retrying")
    server.ring("shop")
    two.stands(server, commit)
    hosted.end(server)


def test_whoever_pushes_all_the_time_puts_off_no_look_at_the_rest(hosted, two, cluster, postgres):
    server = hosted.serve(interval="1s")
    with cluster.without(postgres.name):
        def is_seen():
            hosted.project.write("README.md", "")
            two.push(server)
            return server.environment()["phase"] == "retrying"
        eventually(is_seen, "that it is away is seen")
    server.ring("shop")
    server.phase("current")
    hosted.end(server)


def test_what_was_applied_elsewhere_counts_for_a_branch_that_was_rewritten(hosted, two, sqlite):
    server = hosted.serve()
    two.ledger("0002-entries")
    two.stands(server, two.push(server))
    # The commit that `ledger` has and `shop` doesn't know is gone; nothing changes for `ledger`.
    hosted.project.table("0002-pets")
    hosted.project.git("add", "--all")
    hosted.project.git("commit", "--quiet", "--amend", "--message", "Another one")
    two.push(server, "More")
    [gate] = server.phase("waiting")["gates"]
    assert gate["gate"] == "branch" and "pushed away by force" in gate["message"]
    assert sqlite.tables() == {"people"}
    hosted.end(server)


def test_what_is_published_for_the_next_environment_is_about_all_databases(hosted, two):
    hosted.project.environment("production", two.databases, branch="production", after="dev")
    hosted.publish("Production")
    server = hosted.serve(environments=["dev"])
    hosted.project.table("0002-pets")
    two.stands(server, two.push(server))

    def published():
        if "refs/whimbrel/promotions/dev" not in hosted.served.references():
            return set()
        return set(hosted.served.git("ls-tree", "--name-only", "refs/whimbrel/promotions/dev").splitlines())
    everything = {f"{name}.json" for name in ("0001-accounts", "0001-people", "0002-pets")}
    eventually(lambda: published() == everything, "the records of both databases are there")
    hosted.end(server)
