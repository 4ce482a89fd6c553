"""What the operator promises whatever the API server does, on the real one and on the fake one: what no other file asks."""

import json

from support.both import on_both
from support.kubernetes_raw import Raw

pytestmark = on_both
PEOPLE = [{"sql": "CREATE TABLE people (id integer)"}]


def dev(target, **policy):
    """An environment with one database that applies at once unless its policy says otherwise."""
    return {"databases": {"shop": {"url": f"sqlite:{target.file}"}}, "policy": {"apply": "Auto"} | policy}


def of(environment, *steps):
    """A migration of an environment."""
    return {"environmentRef": {"name": environment}, "steps": list(steps)}


def test_no_status_is_written_of_an_object_that_took_the_place_of_another(api, namespace, operate, sqlite):
    """Deleted and made again while its status was on its way: what became of the one says nothing of the other."""
    namespace.apply("Environment", "dev", dev(sqlite))
    namespace.apply("Migration", "0001-people", of("dev", *PEOPLE))
    seen = []

    def replace():
        namespace.patch("Environment", "dev", {"spec": {"suspend": True}})
        namespace.delete("Migration", "0001-people")
        seen.append(namespace.apply("Migration", "0001-people", of("dev", {"sql": "CREATE TABLE other (id integer)"})))
    rule = api.on("patch", r"/migrations/0001-people/status$", times=1).meanwhile(replace)
    operate()
    namespace.until("Migration", "0001-people", "Succeeded", status="Unknown", reason="Pending")
    assert json.loads(rule.hit[0].body)["status"]["conditions"][0]["reason"] == "Applied"
    # Nor was it ever said.
    events = Raw(namespace, "Migration").watch(resourceVersion=seen[0]["metadata"]["resourceVersion"])
    assert {one["reason"] for event in events for one in event["object"]["status"]["conditions"]} == {"Pending"}
