"""What is not run as it is written is said, where it stands."""

NOTE = "the outer BEGIN … COMMIT is left out"


def test_an_outer_transaction_is_left_out_with_a_note(whimbrel, project, dev):
    project.plain("0001-people", "BEGIN;\nCREATE TABLE people (id bigint PRIMARY KEY);\nCOMMIT;", "DROP TABLE people;")
    place = "migrations/0001-people.sql:2"
    for command in ("lint", "plan"):
        assert "1 outer-transaction" in whimbrel.run(command, "--environment", "dev").said
        said = whimbrel.run(command, "--environment", "dev", "--verbose").said
        [line] = [line for line in said.splitlines() if NOTE in line]
        assert place in said and "note" in line, said
    found = whimbrel.json("plan", "--environment", "dev")["targets"][0]["findings"]
    assert [(f["rule"], f["severity"], f["path"], f["line"]) for f in found if f["rule"] == "outer-transaction"] == [
        ("outer-transaction", "note", "migrations/0001-people.sql", 2)]
    ended = whimbrel.run("apply", "--environment", "dev")
    assert f"note: {place}: {NOTE}" in ended.err
    assert dev.tables() == {"people"}
    again = whimbrel.run("apply", "--environment", "dev")
    assert NOTE not in again.said


def test_a_note_on_a_document_stands_at_its_line(whimbrel, project, dev):
    project.write("migrations/0001-people.yaml", """apiVersion: whimbrel.dev/v1alpha1
kind: Migration
metadata: { name: 0001-people }
spec:
  steps:
    - sql: CREATE TABLE people (id bigint PRIMARY KEY)
    - sql: |
        -- a comment
        BEGIN;
        INSERT INTO people VALUES (1);
        COMMIT;
      revert: START TRANSACTION; DELETE FROM people; COMMIT
""")
    if dev.dialect == "sqlite":
        text = (project.folder / "migrations/0001-people.yaml").read_text()
        project.write("migrations/0001-people.yaml", text.replace("START TRANSACTION", "BEGIN"))
    said = whimbrel.run("plan", "--environment", "dev", "--verbose").said
    for place in ("9:9", "12:15"):
        assert f"at migrations/0001-people.yaml:{place}\n" in said, said
    assert said.count(NOTE) == 2
