"""Plugins: what is there, what a component may do, and trying one against a scratch database."""

import json

from support.product import USAGE


def test_the_built_in_plugins_are_listed_with_digests(whimbrel, project, dev):
    assert "backfill" in whimbrel.run("plugin", "list").out
    listed = whimbrel.json("plugin", "list")
    assert "sha256:" in json.dumps(listed)


def test_inspect_shows_worlds_imports_and_grants(whimbrel, project, dev):
    text = whimbrel.run("plugin", "inspect", "backfill").out
    assert "migration-step" in text
    assert "whimbrel:sql/database" in text


def test_what_is_no_plugin_is_a_usage_error(whimbrel, project, dev):
    for command in ("inspect", "test"):
        ended = whimbrel.run("plugin", command, "backfil", code=USAGE)
        assert "did you mean `backfill`?" in ended.err


def test_a_step_is_tried_on_a_scratch_database(whimbrel, project, dev):
    config = json.dumps({"table": "people", "key": "id", "set": "word = 'new'", "where": "word IS NULL"})
    setup = project.write("setup.sql", "CREATE TABLE people (id integer PRIMARY KEY, word text);"
                          "INSERT INTO people (id) VALUES (1), (2), (3);")
    text = whimbrel.run("plugin", "test", "backfill", "--with", config, "--setup", setup).out
    assert "3" in text


def test_a_component_of_another_digest_is_refused(whimbrel, project, dev):
    project.write("plugins/odd.wasm", "\0asm this is no component")
    project.declare(plugins={"odd": {"path": "plugins/odd.wasm", "digest": "sha256:" + "0" * 64}})
    project.table("0001-people")
    project.migration("0002-odd", {"uses": "odd", "with": {}})
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code not in (0, 101)
    assert "odd" in ended.said
    assert dev.tables() == set()


def test_an_unknown_plugin_is_named_with_the_nearest(whimbrel, project, dev):
    project.migration("0001-fill", {"uses": "backfil", "with": {}})
    ended = whimbrel.run("lint", code=None)
    assert ended.code != 0
    assert "backfill" in ended.err


def test_a_step_s_configuration_is_checked_where_it_stands(whimbrel, project, dev):
    project.table("0001-people")
    project.write("migrations/0002-fill.yaml", """apiVersion: whimbrel.dev/v1alpha1
kind: Migration
metadata: { name: 0002-fill }
spec:
  steps:
    - name: fill it
      uses: backfill
      with:
        table: people
        set: id = id
        batchSize: many
        pauze: 5ms
""")
    for command in ("plan", "apply", "lint"):
        ended = whimbrel.run(command, "--environment", "dev", code=None)
        for line in (
            "migrations/0002-fill.yaml:11:9: fill it: expected a whole number, found text",
            "migrations/0002-fill.yaml:12:9: fill it: unknown key `pauze` (did you mean `pause`?)",
        ):
            assert line in ended.said, ended
    assert dev.tables() == set()
