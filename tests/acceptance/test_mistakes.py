"""What only a dialect or a plugin can see in a definition: told all at once, each where it stands."""

import json
import xml.etree.ElementTree as xml

import pytest
from support.product import FINDINGS, REFUSED

HEAD = "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {{ name: {} }}\nspec:\n"

FILES = {
    "migrations/0001-a.yaml": HEAD.format("0001-a") + """\
  steps:
    - sql: |
        CREATE TABLE a (id integer);
        COMMIT;
        CREATE TABLE b (id integer); ROLLBACK;
      revert: 'SELECT ''x''; SAVEPOINT s'
  checks:
    before:
      - name: none
        query: >-
          WITH x AS (SELECT ${table:literal})
          DELETE FROM a RETURNING 0
        equals: 0
  metrics:
    - { name: two, type: gauge, query: "SELECT 1;\\n SELECT 2" }
""",
    "migrations/0002-b.sql": "-- whimbrel:up\nSELECT 1;\n-- whimbrel:down\n\n  COMMIT;\nSELECT 2; SAVEPOINT s;\n",
    "migrations/0003-c.yaml": HEAD.format("0003-c") + """\
  steps:
    - uses: backfill
      with: { table: a, set: a = 1, batchSize: many, pauze: 5ms }
""",
}

# Where each mistake stands, what stands there, and a word of what is said.
PLACES = {
    "migrations/0001-a.yaml:8:9": ("COMMIT", "transaction control"),
    "migrations/0001-a.yaml:9:38": ("ROLLBACK", "transaction control"),
    "migrations/0001-a.yaml:10:30": ("SAVEPOINT", "transaction control"),
    "migrations/0001-a.yaml:16:11": ("DELETE", "check `none`: expected a query that only reads"),
    "migrations/0001-a.yaml:19:41": ("SELECT", "metric `two`: expected one query, found 2"),
    "migrations/0002-b.sql:5:3": ("COMMIT", "transaction control"),
    "migrations/0002-b.sql:6:11": ("SAVEPOINT", "transaction control"),
    "migrations/0003-c.yaml:7:37": ("batchSize", "expected a whole number"),
    "migrations/0003-c.yaml:7:54": ("pauze", "did you mean `pause`?"),
}


@pytest.fixture
def mistaken(project, target):
    """A project with mistakes in three migrations, and a good one between them."""
    project.environment("dev", {"shop": target.url}, parameters={"table": "a longer name"})
    for path, content in FILES.items():
        project.write(path, content)
    project.table("0002-people")
    return target


def stands(place):
    """What stands at a place of the files."""
    path, line, column = place.split(":")
    return FILES[path].split("\n")[int(line) - 1][int(column) - 1:]


def test_places_are_as_this_test_says():
    for place, (word, _) in PLACES.items():
        assert stands(place).startswith(word)


def test_lint_tells_each_mistake_where_it_stands(whimbrel, mistaken):
    findings = whimbrel.json("lint", code=FINDINGS)["findings"]
    found = [finding for finding in findings if finding["rule"] == "definition"]
    places = [f"{finding['path']}:{finding['line']}:{finding['column']}" for finding in found]
    assert places == list(PLACES)
    for finding, (_, words) in zip(found, PLACES.values(), strict=True):
        assert words in finding["message"]
        assert not finding["message"].startswith("migrations/"), "its place is beside it"


def test_code_hosts_and_pipelines_are_told_where(whimbrel, mistaken):
    report = json.loads(whimbrel.run("lint", "--format", "sarif", code=FINDINGS).out)
    results = [result for result in report["runs"][0]["results"] if result["ruleId"] == "definition"]
    assert [_place(result) for result in results] == list(PLACES)
    report = json.loads(whimbrel.run("plan", "--environment", "dev", "--format", "sarif", code=REFUSED).out)
    results = [result for result in report["runs"][0]["results"] if result["ruleId"] == "blocked"]
    assert [_place(result) for result in results] == list(PLACES)
    report = xml.fromstring(whimbrel.run("lint", "--format", "junit", code=FINDINGS).out)
    failures = [failure.text for failure in report.findall(".//failure") if failure.get("type") == "definition"]
    assert [failure.split(": ")[0] for failure in failures] == list(PLACES)


def _place(result):
    physical = result["locations"][0]["physicalLocation"]
    region = physical["region"]
    return f"{physical['artifactLocation']['uri']}:{region['startLine']}:{region['startColumn']}"


@pytest.mark.parametrize("command", ["lint", "plan", "apply"])
def test_all_are_told_at_once_with_a_caret(whimbrel, mistaken, command):
    said = whimbrel.run(command, "--environment", "dev", code=FINDINGS if command == "lint" else REFUSED).said
    lines = said.split("\n")
    last = -1
    for place, (word, words) in PLACES.items():
        at = next(number for number, line in enumerate(lines) if f"{place}: " in line and words in line)
        assert at > last, "in the order of the tree"
        last = at
        source, caret = lines[at + 1:at + 3]
        assert source[caret.index("^"):].startswith(word), (source, caret)
        assert caret.count("^") == len(word)
    assert mistaken.tables() == set()


def test_a_program_is_told_what_blocks_and_where(whimbrel, mistaken):
    plan = whimbrel.json("plan", "--environment", "dev", code=REFUSED)
    blockers = plan["targets"][0]["blockers"]
    places = [f"{blocker['path']}:{blocker['line']}:{blocker['column']}" for blocker in blockers]
    assert places == list(PLACES)
    assert [blocker["migration"] for blocker in blockers] == ["0001-a"] * 5 + ["0002-b"] * 2 + ["0003-c"] * 2


def test_what_is_good_can_be_applied_when_the_mistakes_are_gone(whimbrel, project, mistaken):
    for path in FILES:
        project.remove(path)
    whimbrel.run("apply", "--environment", "dev")
    assert mistaken.tables() == {"people"}


ENVIRONMENT = "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{ name: {} }}\nspec:\n"

LISTS = {
    "environments/base.yaml": ENVIRONMENT.format("base") + """\
  abstract: true
  databases:
    control: { url: "sqlite:var/control.db" }
    first:
      url: "sqlite:var/${name}.db"
      forEach:
        of: control
        query: |
          WITH gone AS (SELECT 1)
          DELETE FROM tenants RETURNING name
""",
    "environments/dev.yaml": ENVIRONMENT.format("dev") + """\
  extends: base
  databases:
    second: { url: "sqlite:var/${name}.db", forEach: { of: control, query: "SELECT 1; SELECT 2" } }
""",
}


@pytest.mark.parametrize("command", ["lint", "plan", "apply", "status"])
def test_every_list_of_databases_that_is_no_read_is_told(whimbrel, project, command):
    project.table("0001-people")
    for path, content in LISTS.items():
        project.write(path, content)
    project.declare(defaults={"database": "first"})
    lines = whimbrel.run(command, "--environment", "dev", code=FINDINGS if command == "lint" else 1).said.split("\n")
    for place, what, word in (
        ("environments/base.yaml:14:11", "`forEach` of `first`: expected a query that only reads, found DELETE", "DELETE"),
        ("environments/dev.yaml:7:77", "`forEach` of `second`: expected one query, found 2", "SELECT"),
    ):
        at = next(number for number, line in enumerate(lines) if f"{place}: {what}" in line)
        source, caret = lines[at + 1:at + 3]
        assert source[caret.index("^"):].startswith(word), (source, caret)
