"""Metrics of single runs: a file, a Pushgateway, and what becomes of a run when neither takes them."""

import os
import socket
import ssl
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.canary import Canary
from support.evidence import SUITE
from support.hostile import hostile
from support.parts import free_port
from support.product import DRIFT, FAILED, OK, REFUSED, Ended, environment
from support.prometheus import Pushgateway, lint, samples, value

# Of a gateway, and what its configuration has of it (bcrypt).
PASSWORD = Canary.known("a password of a gateway", "nT5wq0ZpKx83LmVbRd61").value
HASH = "$2b$04$EyqvIRAVXg3g2iUhsAiNDutyFj1qn5XN6AE3z5NkLcNKEyXbRAFW6"


@pytest.fixture
def measure(whimbrel, project):
    """Runs a command with a textfile, and gives what it then holds."""
    file = project.folder / "var/whimbrel.prom"

    def run(*arguments, code=OK, **variables):
        whimbrel.run(*arguments, "--environment", "dev", "--metrics-textfile", file, code=code, **variables)
        text = file.read_text()
        assert lint(text) == ""
        return text

    run.file = file
    return run


def no_run(text):
    """Whether it tells of no run, but counts from zero: or the first that fails would be no increase."""
    runs = {labels["result"]: count for labels, count in samples(text)["whimbrel_runs_total"]}
    errors = {count for _, count in samples(text)["whimbrel_errors_total"]}
    return runs == {"failed": 0, "succeeded": 0} and errors == {0}


@pytest.fixture
def gateway(tmp_path):
    """A Pushgateway."""
    server = Pushgateway(tmp_path / "gateway")
    yield server
    server.stop()


def test_a_run_leaves_its_metrics_in_a_file(measure, project, dev):
    project.table("0001-people")
    project.migration("0002-count", "INSERT INTO people VALUES (1)",
                      metrics=[{"name": "people", "query": "SELECT count(*) FROM people", "type": "gauge"}])
    before = time.time()
    text = measure("apply")
    assert value(text, "whimbrel_runs_total", environment="dev", result="succeeded") == 1
    assert value(text, "whimbrel_migrations", database="shop", state="applied") == 2
    assert value(text, "whimbrel_migrations", database="shop", state="pending") == 0
    assert value(text, "whimbrel_step_duration_seconds_count", kind="sql") == 2
    assert value(text, "whimbrel_custom_people", database="shop") == 1
    assert before - 1 < value(text, "whimbrel_last_success_timestamp_seconds", environment="dev") < time.time() + 1
    assert stat.S_IMODE(measure.file.stat().st_mode) == 0o644
    assert [entry.name for entry in measure.file.parent.iterdir() if "metrics" in entry.name] == []


def test_nothing_to_do_is_up_to_date_and_no_run(measure, project, dev):
    project.table("0001-people")
    first = value(measure("apply"), "whimbrel_last_success_timestamp_seconds")
    text = measure("apply")
    assert value(text, "whimbrel_last_success_timestamp_seconds") > first
    assert no_run(text)


def test_a_failure_is_counted_until_it_is_mended(measure, project, dev):
    project.table("0001-people")
    last = value(measure("apply"), "whimbrel_last_success_timestamp_seconds")
    project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    text = measure("apply", code=FAILED)
    assert value(text, "whimbrel_runs_total", result="failed") == 1
    assert value(text, "whimbrel_errors_total", **{"class": "migration"}) == 1
    assert value(text, "whimbrel_migrations", state="failed") == 1
    assert value(text, "whimbrel_migration_failed", migration="0002-broken") == 1
    assert value(text, "whimbrel_last_success_timestamp_seconds") == last
    project.migration("0002-broken", "INSERT INTO people VALUES (1)")
    text = measure("apply")
    assert "whimbrel_migration_failed" not in text
    assert value(text, "whimbrel_migrations", state="applied") == 2


def test_rows_of_a_backfill_and_its_calls_are_counted(measure, project, dev):
    project.table("0001-people")
    project.migration("0002-rows", "ALTER TABLE people ADD COLUMN word text", "INSERT INTO people (id) "
                      "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 250) SELECT i FROM c")
    project.migration("0003-fill", {"uses": "backfill", "with": {
        "table": "people", "key": "id", "set": "word = 'x'", "where": "word IS NULL", "batchSize": 100,
    }})
    text = measure("apply")
    assert value(text, "whimbrel_rows_total", environment="dev", database="shop") == 250
    assert value(text, "whimbrel_step_duration_seconds_count", kind="plugin") == 1
    assert value(text, "whimbrel_plugin_calls_total", plugin="backfill", result="ok") >= 2
    assert "whimbrel_migration_progress_ratio" not in text


def test_secrets_that_were_asked_for_are_counted(measure, project, sqlite):
    project.environment("dev", {"shop": {"url": "secret://env/SHOP_URL"}})
    text = measure("apply", SHOP_URL=sqlite.url)
    assert value(text, "whimbrel_secret_requests_total", backend="env", operation="read", result="ok") >= 1
    text = measure("apply", code=FAILED)
    assert value(text, "whimbrel_secret_requests_total", backend="env", operation="read", result="not-found") >= 1
    assert value(text, "whimbrel_runs_total", environment="dev", result="failed") == 1


def test_a_run_that_may_not_begin_is_counted(measure, project, target):
    project.environment("dev", {"shop": target.url}, policy={"destructive": "Forbid"})
    project.table("0001-people")
    measure("apply")
    project.migration("0002-drop", ("DROP TABLE people", "CREATE TABLE people (id bigint)"))
    text = measure("apply", code=REFUSED)
    assert value(text, "whimbrel_runs_total", result="failed") == 1
    assert value(text, "whimbrel_errors_total", **{"class": "refused"}) == 1


def test_what_differs_is_measured_by_verify(measure, project, dev):
    project.table("0001-people")
    measure("apply")
    assert value(measure("verify"), "whimbrel_drift_objects", database="shop") == 0
    project.migration("0001-people", ("CREATE TABLE people (id bigint)", "DROP TABLE people"))
    text = measure("verify", code=DRIFT)
    assert value(text, "whimbrel_drift_objects", database="shop") == 1
    assert no_run(text)


def test_a_revert_is_measured(measure, project, dev):
    project.table("0001-people")
    measure("apply")
    text = measure("revert", "0001-people")
    assert value(text, "whimbrel_migrations", state="applied") == 0
    assert value(text, "whimbrel_runs_total", result="succeeded") == 1


def test_a_gateway_groups_by_environment_and_keeps_what_a_failed_run_cannot_tell(whimbrel, project, dev, gateway):
    def push(code=OK):
        whimbrel.run("apply", "--environment", "dev", "--metrics-push", gateway.url, code=code)
        return gateway.shown()

    project.table("0001-people")
    text = push()
    assert value(text, "whimbrel_migrations", job="whimbrel", environment="dev", state="applied") == 1
    last = value(text, "whimbrel_last_success_timestamp_seconds", environment="dev")
    project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    text = push(code=FAILED)
    assert value(text, "whimbrel_migration_failed", migration="0002-broken") == 1
    assert value(text, "whimbrel_last_success_timestamp_seconds") == last
    project.migration("0002-broken", "INSERT INTO people VALUES (1)")
    text = push()
    assert "whimbrel_migration_failed" not in text
    assert value(text, "whimbrel_last_success_timestamp_seconds") > last


def test_a_gateway_with_tls_and_a_login(whimbrel, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    folder = tmp_path / "tls"
    folder.mkdir()
    _certify(folder)
    web = f"tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{ci: '{HASH}'}}\n"
    trust = ssl.create_default_context(cafile=folder / "ca.pem")
    server = Pushgateway(folder, web, trust)
    try:
        push = ["apply", "--environment", "dev", "--metrics-push", server.url]
        login = ["--metrics-push-basic", "secret://env/GATEWAY", "--metrics-push-ca", folder / "ca.pem"]
        said = whimbrel.run(*push, *login, GATEWAY=f"ci:{PASSWORD}").said
        assert "warning" not in said
        text = server.shown(("ci", PASSWORD))
        assert value(text, "whimbrel_migrations", state="applied") == 1
        for arguments, variables, words in [
            (login, {"GATEWAY": f"ci:wrong{PASSWORD}"}, "401"),
            (login[2:], {}, "401"),
            (login[:2], {"GATEWAY": f"ci:{PASSWORD}"}, "certificate"),
            (login, {}, "GATEWAY"),
        ]:
            ended = whimbrel.run(*push, *arguments, **variables)
            assert ended.err.count("warning: the metrics were not pushed") == 1, ended
            assert words in ended.err, ended
            said += ended.said
        assert PASSWORD not in said
    finally:
        server.stop()


def _certify(folder):
    """Makes an authority, and its certificate for 127.0.0.1."""
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    for arguments in (
        ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority"],
        ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=gateway", "-CA", "ca.pem", "-CAkey", "ca.key",
         "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1"],
    ):
        subprocess.run([*new, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_password_in_the_gateway_s_address_is_refused_and_not_repeated(whimbrel, project):
    ended = whimbrel.run("apply", "--metrics-push", "http://ci:hunter2@localhost:9091", code=64)
    assert "--metrics-push-basic" in ended.err
    assert "password" in ended.err


@pytest.mark.parametrize("kind", ["dead", "silent", "slow", "wrong"])
@pytest.mark.parametrize("broken", [False, True])
def test_a_gateway_that_takes_nothing_costs_the_metrics_only(whimbrel, project, sqlite, kind, broken):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    if broken:
        project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    file = project.folder / "var/whimbrel.prom"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if kind == "dead":
            listener.close()
        elif kind in ("slow", "wrong"):
            _answering(listener, kind)
        begun = time.monotonic()
        ended = whimbrel.run("apply", "--environment", "dev", "--metrics-push", url, "--metrics-textfile", file,
                             code=FAILED if broken else OK)
        took = time.monotonic() - begun
    assert ended.err.count("warning: the metrics were not pushed to") == 1, ended
    assert "people" in sqlite.tables()
    assert took < 20
    text = file.read_text()
    assert value(text, "whimbrel_metrics_dropped_total", reason="push") == 1
    assert value(text, "whimbrel_migrations", state="applied") == 1


def _answering(listener, kind):
    """Answers one connection: with a byte now and then for ever, or with what is no HTTP."""
    import threading

    def serve():
        connection, _ = listener.accept()
        try:
            if kind == "wrong":
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            else:
                for byte in b"HTTP/1.1 200 OK\r\n" * 10:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.5)
        except OSError:
            pass
        finally:
            connection.close()

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("file", ["/dev/full", "var/nowhere/whimbrel.prom", "var"])
def test_a_file_that_cannot_be_written_costs_the_metrics_only(whimbrel, project, sqlite, file):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", "--metrics-textfile", file)
    assert ended.err.count("warning: the metrics were not written to") == 1, ended
    assert sqlite.tables() == {"people"}


def test_a_full_disk_keeps_the_file_of_before(binary, project, sqlite, gateway, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    disk = tmp_path / "disk"
    disk.mkdir()
    program = [str(binary), "apply", "--environment", "dev", "--metrics-textfile", f"{disk}/w.prom",
               "--metrics-push", gateway.url]
    # A disk of its own, which goes with the process: whoever isn't root has one in a namespace of users.
    script = ('mount -t tmpfs -o size=64k tmpfs "$0" && "$@" && cp "$0/w.prom" "$0/../before" && '
              'head -c 60000 /dev/zero > "$0/filler"; "$@"; echo "exit code $?"; cmp "$0/w.prom" "$0/../before" && ls -A "$0"')
    alone = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    done = subprocess.run([*alone, "sh", "-c", script, str(disk), *program], cwd=project.folder, env=environment(),
                          capture_output=True, text=True, check=False, timeout=120)
    SUITE.keep(program, done.stdout, done.stderr)
    ended = Ended(program, done.returncode, done.stdout, done.stderr)
    assert "exit code 0" in ended.out, ended
    assert ended.err.count("warning: the metrics were not written to") == 1, ended
    assert "No space left" in ended.err, ended
    assert ended.out.split("exit code 0\n")[1].split() == ["filler", "w.prom"], ended
    assert value((tmp_path / "before").read_text(), "whimbrel_metrics_dropped_total", reason="textfile") == 0
    assert value(gateway.shown(), "whimbrel_metrics_dropped_total", reason="textfile") == 1


def test_a_pipe_is_written_to_once_when_everything_is_known(whimbrel, project, sqlite, tmp_path):
    project.environment("dev", {"shop": sqlite.url})
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        ended = whimbrel.run("apply", "--environment", "dev", "--metrics-textfile", pipe,
                             "--metrics-push", f"http://127.0.0.1:{free_port()}")
        assert "warning: the metrics were not pushed to" in ended.err
        text = read.result(timeout=30)
    assert text.count("# TYPE whimbrel_build_info ") == 1
    assert value(text, "whimbrel_metrics_dropped_total", reason="push") == 1


def test_a_flood_of_metrics_from_a_plugin_is_bounded(measure, project, dev):
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    for number in range(10):
        project.migration(f"{number:04}-flood", {"uses": "hostile", "with": {
            "do": "nothing", "flood": f"r{number}",
        }})
    text = measure("apply")
    shown = samples(text)
    custom = {name: found for name, found in shown.items() if name.startswith("whimbrel_custom_")}
    assert 100 <= sum(map(len, custom.values())) <= 501
    assert max(len(name) for name in custom) < 100
    assert len(text) < 200_000
    for reason in ("plugin-budget", "name", "labels", "kind", "value"):
        assert value(text, "whimbrel_metrics_dropped_total", reason=reason) > 0, reason
    assert value(text, "whimbrel_migrations", state="applied") == 10
    assert value(text, "whimbrel_metrics_series") == sum(map(len, shown.values()))


def test_metrics_of_a_plugin_without_the_grant_are_not_recorded(measure, project, dev):
    hostile(project, '{"id":"x","version":"1","needs":[],"uses":["metrics"]}', granted=False)
    project.migration("0001-measure", {"uses": "hostile", "with": {"do": "nothing", "measure": 3}})
    assert "whimbrel_custom_" not in measure("apply")
    hostile(project, '{"id":"x","version":"1","needs":["metrics"]}')
    project.migration("0002-measure", {"uses": "hostile", "with": {"do": "nothing", "measure": 3}})
    text = measure("apply")
    labels = {"environment": "dev", "database": "shop", "plugin": "hostile"}
    assert value(text, "whimbrel_custom_deeds_2_total", **labels) == 1
    assert value(text, "whimbrel_custom_depth", kind="x", **labels) == 2
    assert value(text, "whimbrel_custom_size_count", **labels) == 1
