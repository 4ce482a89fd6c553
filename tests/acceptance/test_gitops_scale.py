"""One `whimbrel serve` for a dozen environments of a thousand migrations each."""

import time

import pytest
from support.git_server import Served
from support.memory import MEBIBYTE, memory
from support.product import Whimbrel
from support.target import SqliteTarget
from support.waiting import eventually

ENVIRONMENTS = 12
MIGRATIONS = 1_000


@pytest.mark.performance
def test_a_dozen_environments_of_a_thousand_migrations(serve, binary, project, http, tmp_path, measured):
    targets = {f"env-{number:02}": SqliteTarget(project, f"env-{number:02}") for number in range(ENVIRONMENTS)}
    for name, target in targets.items():
        project.environment(name, {"shop": f"sqlite:{target.file}"}, branch="main")
    project.plain("0000-deeds", "CREATE TABLE deeds (number bigint NOT NULL)", "DROP TABLE deeds")
    for number in range(1, MIGRATIONS):
        trace = f"INSERT INTO deeds VALUES ({number})"
        project.plain(f"{number:04}-deed", trace, f"DELETE FROM deeds WHERE number = {number}")
    project.commit("A thousand")
    served = Served(tmp_path / "served/shop.git", project)

    def all_have(count):
        have = "SELECT count(*), count(DISTINCT number) FROM deeds"
        return all(target.tables() == {"deeds"} and target.rows(have) == [(count, count)] for target in targets.values())

    here = tmp_path / "here"
    here.mkdir()
    whimbrel = Whimbrel(binary, here, WHIMBREL_CACHE=tmp_path / "mirrors", **http.access)
    begun = time.monotonic()
    server = serve("--project", f"{http.address}/shop.git", by=whimbrel)
    eventually(lambda: all_have(MIGRATIONS - 1), "everything is everywhere", 200)
    for name in targets:
        server.phase("current", name)
    first = time.monotonic() - begun
    resting, most = memory(server.running.process)
    measured(f"{ENVIRONMENTS} environments × {MIGRATIONS} migrations on SQLite: {first:.1f} s, "
             f"{resting / MEBIBYTE:.0f} MiB after it, {most / MEBIBYTE:.0f} MiB at most")
    project.plain(f"{MIGRATIONS}-deed", f"INSERT INTO deeds VALUES ({MIGRATIONS})", "DELETE FROM deeds WHERE number = 1000")
    project.commit("One more")
    served.push()
    begun = time.monotonic()
    server.ring()
    eventually(lambda: all_have(MIGRATIONS), "one more is everywhere", 100)
    one = time.monotonic() - begun
    for _ in range(5):
        server.ring()
        time.sleep(0.2)
    for name in targets:
        server.phase("current", name)
    resting, most = memory(server.running.process)
    measured(f"one more in all of them: {one:.1f} s, {resting / MEBIBYTE:.0f} MiB after it, {most / MEBIBYTE:.0f} MiB at most")
    assert most < 600 * MEBIBYTE
    server.end()
