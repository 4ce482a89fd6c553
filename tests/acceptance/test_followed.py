"""What servers do when refs that they follow move: branches that are pushed by force, and tags that are new."""

import pytest
from support.product import REFUSED
from support.waiting import eventually

DEV = ("--environment", "dev")
BY_FORCE = "which was applied, isn't on it: it was pushed away by force"


def follow(hosted, sqlite, **spec):
    """The environment as it is followed by its source, not by a branch of its own."""
    hosted.project.environment("dev", {"shop": f"sqlite:{sqlite.file}"}, **spec)
    return hosted.publish("Follow")


def see(server, commit):
    """Rings and waits until a commit was planned."""
    server.ring("shop")
    eventually(lambda: server.environment().get("revision") == commit, "the push is seen")


def rewrite(project, table=None):
    """The same migrations with another history, and perhaps a new one on top; gives the commit."""
    project.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "Rewritten")
    if table:
        project.table(table)
        project.commit(table)
    return project.git("rev-parse", "HEAD")


@pytest.mark.parametrize(("spec", "source", "said"), [
    ({"branch": "main"}, {}, "which was applied, is no longer on it: it was pushed away by force"),
    ({}, {"ref": "main"}, BY_FORCE),
    ({}, {}, BY_FORCE),
], ids=["branch", "ref", "default"])
def test_a_forced_push_stops_what_a_server_keeps(hosted, sqlite, spec, source, said):
    applied = follow(hosted, sqlite, **spec)
    server = hosted.serve(**source)
    commit = rewrite(hosted.project, "0002-orders")
    hosted.served.push()
    see(server, commit)
    [gate] = server.phase("waiting")["gates"]
    assert gate["gate"] == "branch" and f"`dev` follows `main`, and {applied[:12]}, {said}" in gate["message"]
    assert "put that commit back into `main`" in gate["hint"]
    assert sqlite.tables() == {"people"}
    # It is back, and so it goes on.
    hosted.project.git("reset", "--quiet", "--hard", applied)
    hosted.project.table("0003-items")
    see(server, hosted.publish("Items"))
    server.phase("current")
    assert sqlite.tables() == {"people", "items"}
    hosted.end(server)


def test_a_forced_push_that_takes_what_is_applied_away_stops_it(hosted, sqlite):
    follow(hosted, sqlite)
    server = hosted.serve(ref="main")
    before = hosted.project.git("rev-parse", "HEAD")
    hosted.project.table("0002-orders")
    see(server, hosted.publish("Orders"))
    server.phase("current")
    hosted.project.git("reset", "--quiet", "--hard", before)
    hosted.project.table("0003-items")
    see(server, hosted.publish("Items"))
    blocked = server.phase("blocked")
    assert "0002-orders" in blocked["error"] and "does not descend" in blocked["error"]
    assert "pushed away by force" in blocked["hint"]
    assert sqlite.tables() == {"people", "orders"}
    hosted.end(server)


def test_a_forced_push_stops_whoever_names_the_branch(outside, http, project, served, shop):
    outside.variables |= http.access
    url = f"{http.address}/shop.git"
    outside.run("apply", "--project", url, *DEV)
    applied = project.git("rev-parse", "HEAD")
    rewrite(project, "0002-orders")
    project.git("tag", "v1")
    served.push()
    for place in (url, f"{url}@main", f"{url}@refs/heads/main"):
        ended = outside.run("apply", "--project", place, *DEV, code=REFUSED)
        assert f"`dev` follows `main`, and {applied[:12]}, {BY_FORCE}" in ended.err
    assert "would be refused: branch" in outside.run("plan", "--project", url, *DEV).out
    assert shop.tables() == {"people"}
    # A version is another commit each time, and who names a commit means that one.
    outside.run("apply", "--project", f"{url}@v*", *DEV)
    assert shop.tables() == {"people", "orders"}
    commit = rewrite(project, "0003-items")
    served.push()
    outside.run("apply", "--project", f"{url}@{commit}", *DEV)
    assert shop.tables() == {"people", "orders", "items"}


@pytest.mark.parametrize(("spec", "source"), [({"branch": "v*"}, {}), ({}, {"ref": "v*"})], ids=["branch", "ref"])
def test_a_new_tag_that_fits_the_pattern_is_applied(hosted, sqlite, spec, source):
    project = hosted.project
    follow(hosted, sqlite, **spec)
    project.git("tag", "v1.9.0")
    hosted.served.push()
    server = hosted.serve(**source)
    # Neither what is only merged, nor a tag of another form or of an older version.
    project.git("checkout", "--quiet", "-b", "other")
    project.table("0002-orders")
    project.commit("Orders")
    for tag in ("w2.0.0", "v1.8.0"):
        project.git("tag", tag)
    hosted.served.push()
    checked = server.environment()["checkedAt"]
    server.ring("shop")
    eventually(lambda: server.environment()["checkedAt"] != checked, "it is looked at")
    assert sqlite.tables() == {"people"}
    # A commit without them: had they been applied, it would be blocked.
    project.git("checkout", "--quiet", "main")
    project.table("0003-items")
    commit = project.commit("Items")
    project.git("tag", "--annotate", "--message", "ten", "v1.10.0")
    hosted.served.push()
    see(server, commit)
    server.phase("current")
    assert sqlite.tables() == {"people", "items"}
    hosted.end(server)
