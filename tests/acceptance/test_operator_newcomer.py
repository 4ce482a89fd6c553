"""What somebody gets wrong who is new to it: each object says what is wrong with it, and what would be right."""

import pytest
from support.kubectl import Kubectl
from support.target import SqliteTarget
from support.waiting import eventually
from test_operator_kubectl import TABLE, document, environment


@pytest.fixture
def kubectl(namespace, operate, tmp_path):
    """kubectl in the test's namespace, where an operator is."""
    operate()
    return Kubectl(namespace, tmp_path / "kubectl")


def said(namespace, kind, name, reason):
    """What an object's main condition says, once it is stalled for a reason."""
    return namespace.until(kind, name, "Stalled", reason=reason)["status"]["conditions"][0]["message"]


@pytest.mark.parametrize(("url", "problem", "hint"), [
    ("{server}/shpo.git", "there is no repository at {server}/shpo.git", "check its name"),
    ("{server}", "it names a server and no repository", "such as https://HOST/TEAM/REPOSITORY.git"),
    ("git.example.org/team/shop", "it is no URL", "such as https://HOST/TEAM/REPOSITORY.git"),
    ("ftp://git.example.org/shop.git", "`ftp` is not spoken here", "such as https://HOST/TEAM/REPOSITORY.git"),
    ("https://git.example.org/my shop", "a blank", "such as https://HOST/TEAM/REPOSITORY.git"),
], ids=["name", "server", "no scheme", "scheme", "blank"])
def test_an_address_of_no_repository(namespace, kubectl, http, served, url, problem, hint):
    http.opened = True
    address = url.format(server=http.address)
    kubectl.apply(document("GitSource", "shop", url=address))
    message = said(namespace, "GitSource", "shop", "Invalid")
    assert problem.format(server=http.address) in message and hint in message
    assert kubectl.table("wsrc")[1]["shop"][:2] == ["False", "Invalid"]


def test_names_that_are_mistyped(namespace, kubectl, http, served, shop):
    http.opened = True
    kubectl.apply(document("GitSource", "shop", url=f"{http.address}/shop.git"), document("Environment", "dev", sourceRef={"name": "shpo"}),
                  document("Environment", "dve", sourceRef={"name": "shop"}),
                  document("GitSource", "other", url=f"{http.address}/shop.git", ref="mian"))
    assert "there is no GitSource `shpo` in this namespace (did you mean `shop`?)" in said(namespace, "Environment", "dev", "NoSource")
    assert "there is no environment called `dve` (did you mean `dev`?)" in said(namespace, "Environment", "dve", "InvalidDefinition")
    assert "has no ref `mian` (push it, or name another" in said(namespace, "GitSource", "other", "Invalid")


def test_a_migration_that_no_environment_runs(namespace, kubectl, sqlite, project):
    """Otherwise it would say nothing at all, which some tools take for success."""
    other = SqliteTarget(project, "other")
    kubectl.apply(environment(sqlite), document("Environment", "followed", sourceRef={"name": "none"}),
                  document("Environment", "base", abstract=True),
                  document("Migration", "0001-mistyped", environmentRef={"name": "dve"}, steps=TABLE),
                  document("Migration", "0002-followed", environmentRef={"name": "followed"}, steps=TABLE),
                  document("Migration", "0003-abstract", environmentRef={"name": "base"}, steps=TABLE),
                  document("Migration", "0004-only", steps=TABLE))
    for name, words in (("0001-mistyped", "there is no Environment `dve` in this namespace (did you mean `dev`?)"),
                        ("0002-followed", "a GitSource defines the Environment `followed`: commit the migration there"),
                        ("0003-abstract", "the Environment `base` is abstract")):
        assert words in said(namespace, "Migration", name, "NoEnvironment")
    namespace.told("Migration", "0001-mistyped", "NoEnvironment")
    assert kubectl.table("wmig")[1]["0001-mistyped"][:3] == ["False", "NoEnvironment", "dve"]
    kubectl.wait("migration/0004-only", "Succeeded")
    # Whose environment comes is run.
    kubectl.apply(document("Environment", "dve", databases={"shop": {"url": f"sqlite:{other.file}"}}, policy={"apply": "Auto"}))
    kubectl.wait("migration/0001-mistyped", "Succeeded")
    assert other.tables() == {"people"}


def test_a_migration_whose_environment_is_not_looked_at(namespace, kubectl, sqlite):
    """It waits for it: without any condition, it would count as done for some tools."""
    def waits(name, reason):
        message = namespace.until("Migration", name, "Reconciling", reason="Pending")["status"]["conditions"][0]["message"]
        assert message == f"its environment is {reason}"
    dev = environment(sqlite)
    dev["spec"]["suspend"] = True
    kubectl.apply(dev, document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE))
    waits("0001-people", "Suspended")
    kubectl.apply(environment(sqlite))
    kubectl.wait("wmig/0001-people", "Succeeded")
    kubectl.apply(document("Migration", "0002-wrong", environmentRef={"name": "dev"}, steps=[{"uses": "backfil"}]))
    waits("0002-wrong", "InvalidDefinition")
    assert namespace.condition("Migration", "0001-people", "Succeeded")["reason"] == "Applied"
    kubectl.run("delete", "wmig/0002-wrong")
    kubectl.wait("wenv/dev", "Ready")


def test_a_plan_that_waits_says_for_what(namespace, kubectl, sqlite):
    kubectl.apply(environment(sqlite, apply="Approve"), document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE))
    namespace.until("Environment", "dev", "Ready", status="False", reason="ApprovalRequired")
    assert "an `Approval` of `status.plan` lets it go on" in kubectl.run("describe", "wenv/dev")


def test_an_approval_for_an_environment_that_is_not_there(namespace, kubectl, sqlite):
    """It counts once that is there."""
    dev = environment(sqlite, apply="Approve", approvers=["ann"])
    kubectl.apply(dev, document("Migration", "0001-people", environmentRef={"name": "dev"}, steps=TABLE))
    waiting = eventually(lambda: (found := namespace.get("Environment", "dev").get("status", {})).get("pending") and found, "it waits")
    kubectl.run("delete", "wenv/dev", "--timeout=30s")
    kubectl.apply(document("Environment", "deva", abstract=True),
                  document("Approval", "yes", environmentRef={"name": "dev"}, plan=waiting["plan"], approver="ann"))
    for kind, name in (("Approval", "yes"), ("Migration", "0001-people")):
        assert "there is no Environment `dev` in this namespace (did you mean `deva`?)" in said(namespace, kind, name, "NoEnvironment")
    assert kubectl.table("wapp")[1]["yes"][:3] == ["False", "NoEnvironment", "dev"]
    kubectl.apply(dev)
    kubectl.wait("wapp/yes", "Succeeded")
    kubectl.wait("wmig/0001-people", "Succeeded")
    assert sqlite.tables() == {"people"}
