"""Lint: everything that needs no database, for a person, for a pipeline and for a code host."""

import json
import xml.etree.ElementTree as xml

import pytest
from support.product import FINDINGS


@pytest.fixture
def risky(project, postgres):
    """A migration that locks a large table on PostgreSQL for as long as an index takes to build."""
    project.environment("dev", {"shop": postgres.url})
    project.table("0001-people")
    project.migration("0002-by-name", "CREATE INDEX people_by_id ON people (id)")


def test_good_definitions_pass(whimbrel, project, dev):
    project.table("0001-people")
    whimbrel.run("lint")


def test_findings_name_rule_and_place(whimbrel, risky):
    ended = whimbrel.run("lint", code=None)
    assert "concurrent" in ended.said.lower()
    assert "migrations/0002-by-name.yaml" in ended.said


RENAMES = """\
apiVersion: whimbrel.dev/v1alpha1
kind: Migration
metadata: { name: 0001-renames }
spec:
  steps:
    - sql: |
        ALTER TABLE ${table:identifier} RENAME COLUMN a TO b; ALTER TABLE c RENAME TO d;
      revert: 'SELECT ''x''; ALTER TABLE d RENAME TO c'
"""


def test_what_a_rule_finds_is_told_with_its_place(whimbrel, project, target):
    project.environment("dev", {"shop": target.url}, parameters={"table": "people whose name is long"})
    project.write("migrations/0001-renames.yaml", RENAMES)
    findings = whimbrel.json("lint", code=None)["findings"]
    found = [finding for finding in findings if finding["rule"].startswith("renaming-")]
    assert [(finding["rule"], finding["line"]) for finding in found] == [
        ("renaming-column", 7), ("renaming-table", 7), ("renaming-table", 8)]
    stands = [RENAMES.split("\n")[finding["line"] - 1][finding["column"] - 1:] for finding in found]
    # SQLite's rules are about statements, PostgreSQL's about what of them is risky.
    for text, beginnings in zip(stands, [("ALTER TABLE $", "RENAME COLUMN a"), ("ALTER TABLE c", "RENAME TO d"),
                                         ("ALTER TABLE d", "RENAME TO c")], strict=True):
        assert text.startswith(beginnings), stands
    said = whimbrel.run("lint", code=None).said.split("\n")
    [at] = [index for index, line in enumerate(said) if f"0001-renames.yaml:8:{found[2]['column']}" in line]
    shown = next(index for index in range(at, at + 5) if "SELECT ''x''" in said[index])
    assert said[shown + 1].index("^") == said[shown].index(stands[2])


def test_sarif_is_for_code_hosts(whimbrel, risky):
    report = json.loads(whimbrel.run("lint", "--format", "sarif", code=None).out)
    assert report["version"] == "2.1.0"
    results = report["runs"][0]["results"]
    places = [
        place["physicalLocation"]["artifactLocation"]["uri"] for result in results for place in result["locations"]
    ]
    assert "migrations/0002-by-name.yaml" in places
    rules = {rule["id"] for rule in report["runs"][0]["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in results} <= rules


def test_junit_is_for_pipelines(whimbrel, risky):
    report = xml.fromstring(whimbrel.run("lint", "--format", "junit", code=None).out)
    assert report.tag in ("testsuites", "testsuite")
    assert report.findall(".//testcase")


def test_json_is_for_programs(whimbrel, risky):
    findings = whimbrel.json("lint", code=None)["findings"]
    assert any(finding["migration"] == "0002-by-name" and finding["rule"] for finding in findings)


def test_findings_at_error_level_stop_a_pipeline(whimbrel, project, target):
    project.environment("dev", {"shop": target.url}, policy={"destructive": "Forbid"})
    project.table("0001-people")
    project.migration("0002-gone", "DROP TABLE people")
    ended = whimbrel.run("lint", code=FINDINGS)
    assert "0002-gone" in ended.said
    assert "error" in ended.said


def test_every_error_of_a_tree_is_reported_at_once(whimbrel, project, dev):
    project.migration("0001-people", "SELECT 1", dependsOnn=["0000"])
    project.migration("0002-orders", "SELECT 1", database="shopp")
    project.migration("0003-more", {"sqlFile": "missing.sql"})
    ended = whimbrel.run("lint", code=None)
    assert ended.code != 0
    for file in ("0001-people.yaml", "0002-orders.yaml", "0003-more.yaml"):
        assert file in ended.err, ended
    assert "dependsOn" in ended.err
    assert "missing.sql" in ended.err


# What is wrong: the file, its content, and a word that the message must hold.
BAD_INPUT = {
    "unknown key": ("migrations/0001-a.yaml", "spek: 1\n", "spek"),
    "not YAML": ("migrations/0001-a.yaml", "steps: [\n", "0001-a.yaml"),
    "wrong kind": (
        "migrations/0001-a.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migratoin\nmetadata: { name: 0001-a }\nspec: { steps: [] }\n",
        "Migration",
    ),
    "wrong version": (
        "migrations/0001-a.yaml",
        "apiVersion: whimbrel.dev/v9\nkind: Migration\nmetadata: { name: 0001-a }\nspec: { steps: [{ sql: SELECT 1 }] }\n",
        "whimbrel.dev/v1alpha1",
    ),
    "duplicate key": (
        "migrations/0001-a.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nkind: Migration\nmetadata: { name: 0001-a }\n"
        "spec: { steps: [{ sql: SELECT 1 }] }\n",
        "kind",
    ),
    "two actions in a step": (
        "migrations/0001-a.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: { name: 0001-a }\n"
        "spec: { steps: [{ sql: SELECT 1, uses: backfill }] }\n",
        "uses",
    ),
    "unknown environment to extend": (
        "environments/test.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: test }\nspec: { extends: bass }\n",
        "bass",
    ),
    "environment extends itself": (
        "environments/test.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: test }\nspec: { extends: test }\n",
        "test",
    ),
    "password written in plain text": (
        "environments/test.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: test }\n"
        "spec: { databases: { shop: { url: 'postgres://u@h/d', password: hunter2 } } }\n",
        "password",
    ),
    "policy with an unknown word": (
        "environments/test.yaml",
        "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: { name: test }\n"
        "spec: { databases: { shop: { url: 'sqlite:a.db' } }, policy: { apply: Automatic } }\n",
        "Auto",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused_with_file_and_reason(whimbrel, project, sqlite, case):
    project.environment("dev", {"shop": sqlite.url})
    path, content, word = BAD_INPUT[case]
    project.write(path, content)
    ended = whimbrel.run("lint", code=None)
    assert ended.code not in (0, 101), ended
    assert path.rsplit("/", maxsplit=1)[-1] in ended.err, ended
    assert word in ended.err, ended
    assert "hunter2" not in ended.said or case != "password written in plain text"
    assert not sqlite.file.exists()


def test_a_check_or_a_metric_that_writes_is_refused_where_it_stands(whimbrel, project, dev):
    project.write("migrations/0001-a.yaml", "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\n"
                  "metadata: { name: 0001-a }\nspec:\n  database: shop\n  steps: [{ sql: SELECT 1, revert: '' }]\n"
                  "  checks:\n    after:\n      - { name: none, query: DELETE FROM a RETURNING 0, equals: 0 }\n")
    project.write("migrations/0002-b.yaml", "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\n"
                  "metadata: { name: 0002-b }\nspec:\n  database: shop\n  steps: [{ sql: SELECT 1, revert: '' }]\n"
                  "  metrics:\n    - name: gone\n      type: gauge\n      query: |\n        WITH a AS (SELECT 'DELETE')\n"
                  "        DELETE FROM a RETURNING 0\n")
    said = whimbrel.run("lint", code=FINDINGS).said
    assert "migrations/0001-a.yaml:9:30: check `none`: expected a query that only reads, found DELETE" in said
    assert "migrations/0002-b.yaml:12:9: metric `gone`: expected a query that only reads, found DELETE" in said
    assert "belongs in a step" in said


def test_a_caret_stands_under_the_place(whimbrel, project, dev):
    project.write("migrations/0001-a.yaml", "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\n"
                  "metadata: { name: 0001-a }\nspec:\n  stepz:\n    - sql: SELECT 1\n")
    ended = whimbrel.run("lint", code=None)
    assert "0001-a.yaml:5" in ended.err, ended
    assert "stepz" in ended.err
    assert "steps" in ended.err


@pytest.mark.parametrize("path", ["../outside.sql", "/etc/passwd"])
def test_files_outside_the_project_are_refused(whimbrel, project, dev, path):
    (project.folder.parent / "outside.sql").write_text("SELECT 1")
    project.migration("0001-a", {"sqlFile": path})
    ended = whimbrel.run("lint", code=None)
    assert ended.code != 0
    assert "root:" not in ended.said


def test_links_are_not_followed(whimbrel, project, dev):
    (project.folder / "migrations/0001-a.sql").symlink_to("/etc/passwd")
    ended = whimbrel.run("lint", code=None)
    assert ended.code != 0
    assert "0001-a.sql" in ended.said
    assert "root:" not in ended.said


@pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"])
def test_transaction_control_is_refused(whimbrel, project, postgres, statement):
    project.environment("dev", {"shop": postgres.url})
    project.migration("0001-a", f"CREATE TABLE a (id bigint);\n{statement};\nCREATE TABLE b (id bigint)")
    ended = whimbrel.run("apply", "--environment", "dev", code=None)
    assert ended.code != 0
    assert postgres.tables() == set()
