"""No secret gets out: every password of the suite is a canary, failures are provoked that would tell it, and at the end
everything that the product said, wrote and recorded is searched.

`test_nothing_that_was_left_behind_holds_a_secret` is the last of the whole suite and searches what all others caused.
"""

import hashlib
import json
import random
import re
import shutil
from pathlib import Path

import pytest
from support.canary import FLOCK, FORMS, LENT_LETTERS, Canary
from support.evidence import Evidence
from support.git_server import key
from support.product import FAILED, OK, RETRY, Whimbrel, environment, eventually, guest_file

USER = "by_variable"


@pytest.fixture
def betrayed(project, postgres):
    """A database that knows the password of the product's user in every form, and says it when asked."""
    secret = postgres.cluster.canary(USER)
    project.environment("dev", {"shop": postgres.cluster.url_as(postgres.name, USER)})
    with postgres.cluster.connect(postgres.name) as connection:
        connection.execute("CREATE SCHEMA betrayal; CREATE TABLE betrayal.secret (form text, written text)")
        for form in FORMS:
            connection.execute("INSERT INTO betrayal.secret VALUES (%s, %s)", (form, secret.written(form)))
        connection.execute("""
            CREATE FUNCTION betrayal.tell(wanted text) RETURNS text LANGUAGE sql
            AS $$ SELECT written FROM betrayal.secret WHERE form = wanted $$;
            CREATE FUNCTION betrayal.fail(form text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'told as %: %', form, betrayal.tell(form)
                USING DETAIL = 'it is <' || betrayal.tell(form) || '>', HINT = 'try "' || betrayal.tell(form) || '"';
            END $$;
            CREATE FUNCTION betrayal.warn(form text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                RAISE WARNING 'told as %: %', form, betrayal.tell(form);
            END $$;
            CREATE FUNCTION betrayal.echo() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
                EXECUTE format('ALTER ROLE nobody_is_called_so PASSWORD %L', betrayal.tell('raw'));
            END $$""")
    return postgres


@pytest.fixture
def seen(binary, project, betrayed):
    """Runs the product and gives what it said, once that was searched."""
    def run(*arguments, code=OK, **variables):
        evidence = Evidence()
        try:
            ended = Whimbrel(binary, project.folder, evidence=evidence).run(*arguments, code=code, **variables)
            found = evidence.search(list(FLOCK.values()), betrayed.cluster, databases=[betrayed.name])
            assert not found, "\n".join(map(str, found))
            assert evidence.runs == 1
            return ended
        finally:
            evidence.remove()
    return run


@pytest.mark.parametrize("form", FORMS)
def test_an_error_of_the_database_that_says_it(seen, project, form):
    project.migration("0001-people", f"SELECT betrayal.fail('{form}')")
    ended = seen("apply", "--environment", "dev", code=FAILED)
    assert f"told as {form}:" in ended.err
    # What was recorded is shown again.
    assert f"told as {form}:" in seen("status", "--environment", "dev", "--format", "json", code=None).out
    seen("history", "--environment", "dev", "--format", "json")


def test_an_error_of_the_database_that_echoes_the_statement(seen, project):
    project.migration("0001-people", "SELECT betrayal.echo()")
    ended = seen("apply", "--environment", "dev", "--verbose", code=FAILED)
    assert "nobody_is_called_so" in ended.err


def test_a_warning_of_the_database(seen, project):
    project.migration("0001-people", "SELECT betrayal.warn('raw')")
    seen("apply", "--environment", "dev", "--verbose", WHIMBREL_LOG="trace")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_check_that_finds_it(seen, project, when):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", checks={
        when: [{"name": "nothing is told", "query": "SELECT betrayal.tell('raw')", "equals": "nothing"}],
    })
    ended = seen("apply", "--environment", "dev", code=FAILED)
    assert "nothing is told" in ended.err


def test_a_check_that_fails_later(seen, project):
    project.migration("0001-people", "CREATE TABLE people (id bigint)", checks={
        "after": [{"name": "nothing is told", "query": "SELECT count(*) > 0 AND betrayal.tell('raw') = '' FROM people",
                   "equals": False}],
    })
    seen("apply", "--environment", "dev")
    project.migration("0002-orders", "CREATE TABLE orders (id bigint)")
    seen("verify", "--environment", "dev", code=None)


@pytest.mark.parametrize("arguments", [
    ["--log-format", "json"], ["--verbose"], ["--format", "json"], ["--format", "junit"],
], ids=" ".join)
def test_every_way_of_saying_it(seen, project, arguments):
    project.migration("0001-people", "SELECT betrayal.fail('raw')")
    ended = seen("apply", "--environment", "dev", *arguments, code=None, WHIMBREL_LOG="trace")
    assert "told as raw:" in ended.said, ended


def test_a_password_that_is_wrong(seen, cluster, betrayed, project):
    wrong = Canary.hatch("a wrong password")
    project.migration("0001-people", "SELECT 1")
    ended = seen("status", "--environment", "dev", code=None, SHOP_DATABASE_PASSWORD=wrong.value, WHIMBREL_LOG="trace")
    assert ended.code in (FAILED, RETRY), ended
    assert "password authentication failed" in ended.said


def test_a_secret_document_without_the_field(seen, cluster, betrayed, project):
    other = Canary.hatch("another field")
    reference = {"secret": "env", "path": "SHOP_FIELDS", "key": "pasword"}
    project.environment("dev", {"shop": {"url": cluster.url_as(betrayed.name, USER), "password": reference}})
    for content in (json.dumps({"password": other.value}), f"password: {other.value}", f'{{"password": "{other.core}'):
        ended = seen("status", "--environment", "dev", code=None, SHOP_FIELDS=content)
        assert "SHOP_FIELDS" in ended.said


def test_a_whole_url_that_is_secret(seen, cluster, betrayed, project):
    project.environment("dev", {"shop": {"url": {"secret": "env", "path": "SHOP_URL"}}})
    url = f"postgres://{USER}:{cluster.canary(USER).written('url')}@localhost/{betrayed.name}?host={cluster.folder}"
    project.migration("0001-people", "CREATE TABLE people (id bigint)")
    project.migration("0002-broken", "SELECT betrayal.fail('raw')")
    seen("apply", "--environment", "dev", code=FAILED, SHOP_URL=url)
    seen("status", "--environment", "dev", code=None, SHOP_URL=url + "/nowhere")
    seen("status", "--environment", "dev", code=None, SHOP_URL=url.replace("postgres", "posgres", 1))


def test_killed_with_the_secret_in_its_hands(whimbrel, project, betrayed):
    project.migration("0001-people", "SELECT betrayal.warn('raw'); SELECT pg_sleep(60)")
    run = whimbrel.start("apply", "--environment", "dev", "--verbose")
    eventually(lambda: betrayed.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                     "AND pid <> pg_backend_pid()"), "it sleeps")
    run.kill()
    run.end(code=-9)
    project.migration("0001-people", "SELECT betrayal.fail('raw')")
    whimbrel.run("apply", "--environment", "dev", code=FAILED)


@pytest.mark.parametrize("form", FORMS)
def test_a_plugin_that_says_it_and_dies(seen, project, form):
    guest = project.folder / "plugins/hostile.wasm"
    guest.parent.mkdir()
    shutil.copy(guest_file("hostile"), guest)
    digest = hashlib.sha256(guest.read_bytes()).hexdigest()
    project.declare(plugins={"hostile": {"path": "plugins/hostile.wasm", "digest": f"sha256:{digest}"}})
    project.migration("0001-tell", {"uses": "hostile", "with": {
        "do": "nothing", "tell": f"SELECT betrayal.tell('{form}')",
    }})
    ended = seen("apply", "--environment", "dev", "--verbose", code=FAILED)
    assert "trapped" in ended.said
    assert "it is " in ended.said


@pytest.mark.parametrize("point", ["lock.after", "statement.after", "commit.before"])
def test_a_panic_of_the_host_that_says_it(seen, project, betrayed, point):
    project.migration("0001-people", "CREATE TABLE people (id bigint)")
    words = f"it is {betrayed.cluster.password(USER)}!"
    ended = seen("apply", "--environment", "dev", code=None, WHIMBREL_CRASH_POINT=point, WHIMBREL_CRASH_WORDS=words)
    assert ended.code not in (0, -9), ended
    assert "it is [redacted]!" in ended.said


def test_a_crash_leaves_no_core(whimbrel, project, betrayed):
    project.migration("0001-people", "SELECT pg_sleep(60)")
    run = whimbrel.start("apply", "--environment", "dev")
    eventually(lambda: betrayed.rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' "
                                     "AND pid <> pg_backend_pid()"), "it sleeps")
    limits = Path(f"/proc/{run.process.pid}/limits").read_text()
    run.kill()
    run.end(code=-9)
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.MULTILINE), limits


def test_without_the_scrubber_the_search_finds_it(binary, project, betrayed, evidence, tmp_path):
    """The whole suite proves something only if it can fail: with the scrubber off what is said here is found."""
    evidence.set_apart(tmp_path)
    evidence.set_apart(betrayed.name)
    project.migration("0001-people", "SELECT betrayal.fail('raw')")
    blind = Evidence()
    try:
        blind.watch(tmp_path)
        whimbrel = Whimbrel(binary, project.folder, evidence=blind)
        whimbrel.run("apply", "--environment", "dev", code=FAILED, WHIMBREL_SCRUBBER="off")
        found = blind.search(betrayed.cluster.canaries, betrayed.cluster, databases=[betrayed.name])
        places = {find.where.split(" ")[-1] for find in found}
        assert {"whimbrel.migration", "whimbrel.event"} < places
        assert any(place.startswith(str(blind.said)) for place in places)
    finally:
        blind.remove()


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_every_form(tmp_path, form, evidence):
    """What would be overlooked can't be promised."""
    evidence.set_apart(tmp_path)
    canary = Canary.hatch("planted")
    planted = Evidence()
    try:
        planted.keep(["apply"], f"error: it is {canary.written(form)}!")
        assert [find.canary for find in planted.search([canary])] == ["planted"]
        assert planted.search([Canary.hatch("another")]) == []
    finally:
        planted.remove()


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_what_a_store_made_up(form):
    lent = "".join(random.choices(LENT_LETTERS, k=40))
    planted = Evidence()
    try:
        planted.keep(["apply"], f"error: it is {FORMS[form](lent)}!")
        assert [find.canary for find in planted.search([])] == ["a lent password"]
    finally:
        planted.remove()


def test_the_search_finds_what_was_recorded(cluster, evidence, tmp_path):
    canary = Canary.hatch("planted")
    database = cluster.create_database()
    evidence.set_apart(database)
    with cluster.connect(database) as connection:
        connection.execute("CREATE SCHEMA whimbrel; CREATE TABLE whimbrel.journal (name text, undo bytea)")
        connection.execute("INSERT INTO whimbrel.journal VALUES (%s, NULL), ('x', %s)",
                           (canary.value, canary.value.encode()))
    planted = Evidence()
    try:
        found = planted.search([canary], cluster, databases=[database])
        assert {find.form for find in found} == {"plain", "hex"}
    finally:
        planted.remove()


def test_secrets_of_tests_are_registered_by_themselves(openbao, namespace, tmp_path):
    made = {name: Canary.hatch(name, plain=True, loose=True).value for name in ("variable", "address", "field", "file")}
    environment(SHOP_PASSWORD=made["variable"], SHOP_SECRET_URL=f"postgres://shop:{made['address']}@db/shop",
                SHOP_TOKEN_FILE=made["file"], SHOP_TOKEN=tmp_path / "away", SHOP_SECRET=None)
    namespace.apply("Secret", "shop", {"password": made["field"]})
    made["lent"] = openbao.call("auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
    made["key"] = key(tmp_path / "key").read_text()
    assert {name for name, value in made.items() if value in FLOCK} == {"variable", "address", "field", "lent", "key"}
    assert str(tmp_path / "away") not in FLOCK and None not in FLOCK
    # Without the ends of its lines it is found for certain; its own file is known to hold it.
    planted = Evidence()
    try:
        planted.keep(["apply"], "".join(made["key"].splitlines()))
        assert {find.canary for find in planted.search([FLOCK[made["key"]]])} == {"a key for SSH"}
        # What a store gives to the product, which no test sees, has a shape.
        token = openbao.call("auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
        planted.keep(["apply"], f"the token {token} is over")
        assert {find.canary for find in planted.search([])} == {"a token of OpenBao"}
    finally:
        planted.remove()


@pytest.mark.parametrize("core", ["A" * 24, "jK" * 12])
def test_no_two_forms_of_a_canary_are_the_same_bytes(core):
    """One find would have two names; in hexadecimal a few letters, by chance, have no letter."""
    traces = [trace for _, trace in Canary("planted", core, core).traces()]
    assert len(traces) == len(set(traces))
