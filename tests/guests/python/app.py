"""A step in Python: the interfaces must serve more than Rust. Counts the rows of a table, or sets a column on them."""

import json

import wit_world
from componentize_py_types import Err
from wit_world.exports import step
from wit_world.imports import call, clock, client, database, log, types


def invalid(pointer: str, message: str) -> Err:
    """The fault that says where the configuration is wrong."""
    return Err(
        types.Fault(
            class_=types.FaultClass.INVALID,
            code="configuration",
            message=message,
            pointer=pointer,
            hint=None,
            retry=types.Retry_Never(),
        )
    )


class Step(wit_world.exports.Step):
    """Exports whimbrel:step/step."""

    def describe(self) -> str:
        return json.dumps({"summary": "Sets a column", "dialects": [], "sources": False, "with": {"type": "object"}})

    def plan(self, config: str, dialect: str) -> step.Preview:
        given = json.loads(config)
        if given.get("read-the-clock"):
            clock.now()
        if "table" not in given:
            raise invalid("/table", "is missing")
        log.write(log.Level.INFO, "planning", [("dialect", dialect)])
        return step.Preview(effects=[f"sets done on {given['table']}"], reversible=False, details="null")

    def estimate(self, config: str) -> str:
        table = database.quote(json.loads(config)["table"])
        rows = database.query(f"SELECT count(*) FROM {table}", [])
        return json.dumps({"rows": rows.rows[0][0].value})

    def apply(self, config: str) -> step.Outcome:
        given = json.loads(config)
        if given.get("raise"):
            raise RuntimeError("a Python exception on purpose")
        if given.get("fetch"):
            client.send(client.Request("GET", "http://example.org/", [], None, None))
        table = database.quote(given["table"])
        done = 0
        last = database.last_checkpoint()
        start = json.loads(last)["id"] if last else 0
        for key in range(start + 1, given["until"] + 1):
            done += database.execute(f"UPDATE {table} SET done = $1 WHERE id = $2", [
                database.Value_Text("é"), database.Value_Integer(key)])
            database.commit(json.dumps({"id": key}).encode(), key, given["until"])
        return step.Outcome(rows=start + done, summary=f"by {call.operation_id()}", undo=b"\x00\xff",
                            details=json.dumps({"attempt": call.attempt()}))

    def revert(self, config: str, undo: bytes) -> step.Outcome:
        return step.Outcome(rows=0, summary=undo.hex(), undo=b"", details="")
