"""From a push to production: by branches, and by records that the environment before has signed."""

import pytest
from support.canary import Canary
from support.git_server import Served, key
from support.product import OK, REFUSED, USAGE
from support.stages import Clone, Stage

NAMES = ("dev", "staging", "production")


@pytest.fixture(params=["sqlite", "postgres"])
def stages(request, binary, tmp_path, http, project):
    """Three environments that can't reach each other's databases."""
    cluster = request.getfixturevalue("cluster") if request.param == "postgres" else None
    url = f"{http.address}/shop.git"
    return [Stage(name, binary, tmp_path / "stages", url, http.access, project, cluster) for name in NAMES]


@pytest.fixture
def shop(project, tmp_path, stages):
    """Fills the server: each environment as it is told to be."""
    def fill(*specs):
        for stage, spec in zip(stages, specs, strict=True):
            project.environment(stage.name, {"shop": stage.database}, **spec)
        project.table("0001-people")
        project.commit("People")
        for name in NAMES[:2]:
            project.git("branch", name)
        return Served(tmp_path / "served/shop.git", project)
    return fill


@pytest.fixture
def chain(shop, stages):
    """Each environment takes only what the one before has applied and signed."""
    served = shop({"branch": "main"}, {"branch": "main", "after": "dev"}, {"branch": "main", "after": "staging"})
    before = None
    for stage in stages:
        stage.signs()
        if before:
            stage.trusts(before)
        before = stage
    return served


def test_a_change_goes_from_branch_to_branch(shop, stages, tmp_path):
    served = shop({"branch": "dev"}, {"branch": "staging"}, {"branch": "main"})
    dev, staging, production = stages
    for stage in stages:
        stage.run("apply")
    grace = Clone(tmp_path / "grace", served)
    grace.git("checkout", "--quiet", "dev")
    grace.table("0002-orders")
    orders = grace.commit("Orders")
    grace.push("dev")
    for stage in stages:
        stage.run("apply")
    assert [stage.target.tables() for stage in stages] == [{"people", "orders"}, {"people"}, {"people"}]
    # Naming the commit doesn't get it past its branch.
    ended = production.run("apply", reference=f"@{orders}", code=REFUSED)
    assert "`production` follows `main`" in ended.err
    for stage, branch, before in ((staging, "staging", "dev"), (production, "main", "staging")):
        grace.git("checkout", "--quiet", branch)
        grace.git("merge", "--quiet", "--no-ff", "--message", f"To {branch}", before, author=grace.author)
        grace.git("push", "--quiet", "origin", branch)
        stage.run("apply")
        assert stage.target.tables() == {"people", "orders"}
    # Nobody could have done another's work.
    with production:
        ended = production.whimbrel.run("apply", *staging.arguments(), code=None)
    assert ended.code not in (OK, REFUSED), ended
    assert dev.target.tables() == {"people", "orders"}


def test_production_takes_what_staging_has_signed(chain, stages, tmp_path):
    dev, staging, production = stages
    for stage, before in ((production, "staging"), (staging, "dev")):
        ended = stage.run("apply", code=REFUSED)
        assert f"`{before}` comes first: 0001-people (not applied there)" in ended.err
    for stage in stages:
        stage.run("apply")
        assert stage.target.tables() == {"people"}
    shown = production.run("promote", "staging", "production")
    assert "signed by staging@example.com (SHA256:" in shown.out and "nothing is pending" in shown.out
    assert production.run("promote", "staging", "production", "--format", "json").json()["signer"].startswith("staging@")
    # Git itself says the same.
    signers = tmp_path / "all"
    signers.write_text("".join(stage.signer for stage in stages))
    for stage in stages:
        trust = ("-c", f"gpg.ssh.allowedSignersFile={signers}")
        chain.git(*trust, "verify-commit", stage.reference())
        assert chain.git(*trust, "log", "-1", "--format=%GS", stage.reference()) == f"{stage.name}@example.com"
    # The next change goes the same way, and is withdrawn the same way.
    grace = Clone(tmp_path / "grace", chain)
    grace.table("0002-orders")
    grace.commit("Orders")
    grace.push()
    production.run("apply", code=REFUSED)
    for stage in stages:
        stage.run("apply")
    assert production.target.tables() == {"people", "orders"}
    staging.run("revert", "0002-orders")
    assert chain.git("ls-tree", "--name-only", staging.reference()) == "0001-people.json"
    production.run("revert", "0002-orders")
    ended = production.run("apply", code=REFUSED)
    assert "0002-orders (not applied there)" in ended.err


def test_who_may_push_and_has_no_key_gets_nothing(chain, stages, tmp_path):
    dev, staging, production = stages
    dev.run("apply")
    mallory = Clone(tmp_path / "mallory", chain, author="Mallory <mallory@example.com>")
    mallory.git("fetch", "--quiet", "origin", "+refs/whimbrel/*:refs/whimbrel/*")

    def refused():
        ended = production.run("apply", code=REFUSED)
        assert production.target.tables() == set()
        return ended.err

    def put(what):
        mallory.git("push", "--quiet", "--force", "origin", f"{what}:{staging.reference()}")

    # What dev has signed, in the place of what staging hasn't.
    put(dev.reference())
    assert "doesn't count" in refused() and "nobody who is listed" in refused()
    # The same, believable, without a signature, and with one of her own.
    record = mallory.git("show", f"{dev.reference()}:0001-people.json").replace('"dev"', '"staging"')
    mallory.git("checkout", "--quiet", "--orphan", "forged")
    mallory.git("rm", "-r", "--quiet", "--force", ".")
    mallory.write("0001-people.json", record + "\n")
    mallory.commit("staging: 1 published")
    put("HEAD")
    assert "isn't signed" in refused()
    sign = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key(tmp_path / 'hers')}")
    mallory.git(*sign, "commit", "--quiet", "--amend", "--gpg-sign", "--no-edit", author=mallory.author)
    put("HEAD")
    assert "nobody who is listed" in refused()
    shown = production.run("promote", "staging", "production", code=REFUSED)
    assert "nothing of it counts" in shown.out
    # Nobody builds on it either, and the truth replaces it.
    told = staging.run("apply").err
    assert "was replaced by what is known here" in told
    production.run("apply")
    assert production.target.tables() == {"people"}


def test_an_unsigned_process_does_not_undo_a_signed_one(chain, stages, tmp_path):
    dev, staging, production = stages
    for stage in (dev, staging):
        stage.run("apply")
    del staging.whimbrel.variables["WHIMBREL_SIGNING_KEY_FILE"]
    grace = Clone(tmp_path / "grace", chain)
    grace.table("0002-orders")
    grace.commit("Orders")
    grace.push()
    dev.run("apply")
    told = staging.run("apply").err
    assert "not published for promotion" in told and "there is no key to sign new ones" in told
    ended = production.run("apply", code=REFUSED)
    assert "0002-orders (not applied there)" in ended.err
    staging.signs()
    staging.run("apply")
    production.run("apply")
    assert production.target.tables() == {"people", "orders"}


def test_a_key_that_can_not_be_used_is_told_before_anything_runs(chain, stages, tmp_path):
    dev = stages[0]
    for name, said in (("nowhere", "can't be read"), ("text", "can't be read as an OpenSSH private key")):
        file = tmp_path / name
        if name == "text":
            file.write_text("no key")
        dev.whimbrel.variables["WHIMBREL_SIGNING_KEY_FILE"] = file
        assert said in dev.run("apply", code=USAGE).err
    assert dev.target.tables() == set()
    variables = dev.whimbrel.variables
    del variables["WHIMBREL_SIGNING_KEY_FILE"]
    # The key itself, as a store of secrets hands it out.
    variables["WHIMBREL_SIGNING_KEY"] = dev.key.read_text()
    dev.run("apply")
    assert "BEGIN SSH SIGNATURE" in chain.git("cat-file", "commit", dev.reference())
    del variables["WHIMBREL_SIGNING_KEY"]
    # Or encrypted, with a passphrase that nobody is told.
    passphrase = Canary.hatch("a passphrase of a key")
    variables["WHIMBREL_SIGNING_KEY_FILE"] = key(tmp_path / "locked", passphrase=passphrase.value)
    ended = dev.run("apply", code=USAGE)
    assert "no passphrase was given" in ended.err and "WHIMBREL_SIGNING_PASSPHRASE" in ended.err
    ended = dev.run("apply", code=USAGE, WHIMBREL_SIGNING_PASSPHRASE="another")
    assert "doesn't fit" in ended.err
    signed = chain.git("rev-parse", dev.reference())
    ended = dev.run("apply", WHIMBREL_SIGNING_PASSPHRASE=passphrase.value)
    assert passphrase.core not in ended.said
    assert chain.git("rev-parse", dev.reference()) != signed


def test_an_old_pipeline_that_runs_again_changes_nothing(chain, stages, tmp_path):
    dev = stages[0]
    old = chain.git("rev-parse", "main")
    dev.run("apply")
    grace = Clone(tmp_path / "grace", chain)
    grace.table("0002-orders")
    grace.commit("Orders")
    grace.push()
    dev.run("apply")
    before = dev.target.rows(f"SELECT count(*) FROM {dev.target.history}event")
    plan = dev.run("plan", "--format", "json", reference=f"@{old}", code=None).json()
    assert [blocker["code"] for blocker in plan["targets"][0]["blockers"]] == ["NotDescendant"]
    ended = dev.run("apply", reference=f"@{old}", code=REFUSED)
    assert "0002-orders" in ended.err and "does not descend from that" in ended.err
    assert "don't re-run an old pipeline" in ended.err
    assert dev.target.tables() == {"people", "orders"}
    assert dev.target.rows(f"SELECT count(*) FROM {dev.target.history}event") == before
