"""The surface: streams, colour, broken pipes, exit codes, secrets that stay secret."""

import contextlib
import json
import os
import platform
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.product import FAILED, FINDINGS, OK, RETRY, ROOT, USAGE, environment


def in_terminal(whimbrel, *arguments, **variables):
    """Runs the product on a pseudo-terminal and gives what appeared there."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [whimbrel.binary, *arguments], cwd=whimbrel.folder, env=environment(TERM="xterm-256color", **variables),
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            read = os.read(leader, 65536)
        except OSError:
            break
        if not read:
            break
        shown += read
    os.close(leader)
    whimbrel.evidence.keep(arguments, shown)
    assert process.wait(timeout=60) == 0, shown.decode()
    return shown.decode()


def test_colour_only_where_somebody_sees_it(whimbrel, project, dev):
    project.table("0001-people")
    assert "\x1b[" not in whimbrel.run("plan", "--environment", "dev").said
    assert "\x1b[" in in_terminal(whimbrel, "plan", "--environment", "dev")
    assert "\x1b[3" not in in_terminal(whimbrel, "plan", "--environment", "dev", NO_COLOR="1")


def test_progress_on_a_terminal_is_drawn_and_off_it_written_in_lines(whimbrel, project, dev):
    project.migration(
        "0001-people",
        "CREATE TABLE people (id bigint PRIMARY KEY, n bigint)",
        "INSERT INTO people (id) WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) "
        "SELECT i FROM c",
        {"uses": "backfill", "with": {"table": "people", "key": "id", "set": "n = 1", "where": "n IS NULL",
                                      "batchSize": 200, "pause": "50ms"}},
    )
    shown = in_terminal(whimbrel, "apply", "--environment", "dev")
    assert "rows/s" in shown and "ETA" in shown
    assert dev.rows("SELECT count(*) FROM people WHERE n = 1") == [(2000,)]


def in_writes(whimbrel, *arguments):
    """Runs the product and gives what it wrote to stdout and stderr, write by write."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen([whimbrel.binary, *arguments], cwd=whimbrel.folder, env=environment(),
                               stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    theirs.close()
    with ours:
        writes = [write.decode() for write in iter(lambda: ours.recv(1 << 20), b"")]
    whimbrel.evidence.keep(arguments, "".join(writes))
    process.wait(timeout=60)
    return writes


@pytest.mark.parametrize("arguments", [["status"], ["plan"], ["status", "--environment", "nowhere"]])
def test_an_answer_is_written_at_once(whimbrel, project, dev, arguments):
    for number in range(5):
        project.table(f"000{number}-people{number}")
    answers = [write for write in in_writes(whimbrel, *arguments) if not write.startswith("note:")]
    assert [answer.count("\n") > 1 for answer in answers] == [True], answers


def test_the_program_has_a_fixed_address(binary):
    """A command may be over in ten milliseconds, and to write a hundred thousand addresses takes two at each start."""
    with binary.open("rb") as program:
        head = program.read(18)
    # What an ELF file is (`e_type`): 2 is a program at the address that it says, 3 one at any.
    if head.startswith(b"\x7fELF"):
        assert int.from_bytes(head[16:18], sys.byteorder) == (2 if platform.libc_ver()[0] == "glibc" else 3)


def test_off_a_terminal_each_event_is_a_line(whimbrel, project, dev):
    project.table("0001-people")
    project.table("0002-orders")
    ended = whimbrel.run("apply", "--environment", "dev")
    assert "\r" not in ended.said
    assert any("0001-people" in line for line in ended.said.splitlines())
    assert any("0002-orders" in line for line in ended.said.splitlines())


def test_quiet_says_nothing_when_nothing_is_wrong(whimbrel, project, dev):
    project.table("0001-people")
    ended = whimbrel.run("apply", "--environment", "dev", "--quiet")
    assert ended.err == ""


def test_data_goes_to_stdout_and_talk_to_stderr(whimbrel, project, dev):
    project.table("0001-people")
    assert whimbrel.run("plan", "--environment", "dev", "--format", "json").json()["targets"]
    ended = whimbrel.run("apply", "--environment", "dev", "--format", "json")
    assert ended.json() is not None


def test_a_reader_that_goes_away_is_no_crash(whimbrel, project, dev):
    for number in range(60):
        project.table(f"{number:04}-t{number}")
    process = subprocess.Popen(
        [whimbrel.binary, "plan", "--environment", "dev"], cwd=whimbrel.folder, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=60)
    whimbrel.evidence.keep(["plan"], err)
    assert "panicked" not in err
    assert process.returncode in (0, 141, -13), err


ANSWERS = ["lint", "plan", "status", "history", "verify", "promote staging dev", "apply", "revert --to HEAD", "plugin list",
           "plugin inspect backfill", "secrets check"]
WORDS = ["init elsewhere", "new more", "approve 0123456789ab", "baseline", "unlock", "adopt", "wait --migration 0001-people",
         "plugin test backfill"]


@pytest.mark.parametrize("command", ANSWERS)
def test_what_is_asked_for_as_json_is_json_on_stdout_and_in_a_file(whimbrel, project, sqlite, command):
    project.environment("staging", {"shop": "sqlite:var/staging.db"})
    project.environment("dev", {"shop": sqlite.url}, after="staging")
    project.table("0001-people")
    project.commit("People")
    whimbrel.run("apply", "--environment", "staging")
    asked = [*command.split(), "--environment", "dev"]
    shown = whimbrel.run(*asked, "--format", "json", "--report", "json=kept/answer.json", code=None)
    assert shown.code == OK, shown
    assert json.loads((project.folder / "kept/answer.json").read_text()) == shown.json()


@pytest.mark.parametrize("command", WORDS)
def test_what_has_words_only_refuses_other_formats_before_it_does_anything(whimbrel, project, sqlite, command):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    before = sorted(project.folder.rglob("*.*"))
    asked = [*command.split(), "--environment", "dev"]
    assert "no output as `json`" in whimbrel.run(*asked, "--format", "json", code=USAGE).err
    assert whimbrel.run(*asked, "--report", "text=answer.txt", code=USAGE).out == ""
    assert sorted(project.folder.rglob("*.*")) == before


def on_a_full_disk(whimbrel, *arguments):
    """Runs the product with its output going to a disk without room; its exit code, and what it said about it."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run([whimbrel.binary, *arguments], cwd=whimbrel.folder, env=environment(), stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    whimbrel.evidence.keep(arguments, ended.stderr)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("command", ["plan", "plan --detailed-exitcode", "status --format json", "lint --format sarif",
                                     "schema migration", "--help", "--version"])
def test_an_answer_that_finds_no_room_is_none(whimbrel, project, sqlite, command):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    code, said = on_a_full_disk(whimbrel, *command.split())
    assert code == FAILED, said
    assert "writing to stdout" in said and "No space left" in said


def test_what_is_wrong_is_said_by_the_exit_code_on_a_full_disk_too(whimbrel, project, sqlite):
    project.migration("0001-people", "DROP TABLE people")
    project.environment("dev", {"shop": sqlite.url}, policy={"destructive": "Forbid"})
    code, said = on_a_full_disk(whimbrel, "lint")
    assert (code, "writing to stdout" in said) == (FINDINGS, True), said


def test_what_was_applied_is_applied_whoever_hears_of_it(whimbrel, project, dev):
    project.table("0001-people")
    code, said = on_a_full_disk(whimbrel, "apply", "--format", "json")
    assert (code, "warning: writing to stdout" in said) == (OK, True), said
    assert dev.tables() == {"people"}


def test_a_server_that_is_not_there_is_worth_a_retry(whimbrel, project, tmp_path):
    project.environment("dev", {"shop": f"postgres://nobody@localhost/shop?host={tmp_path}"})
    project.table("0001-people")
    ended = whimbrel.run("status", "--environment", "dev", code=RETRY)
    assert "shop" in ended.said


def a_pipe(file):
    os.mkfifo(file)


def a_socket(file):
    socket.socket(socket.AF_UNIX).bind(str(file))


def a_directory(file):
    file.mkdir()


def a_device(file):
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [a_pipe, a_socket, a_directory, a_device], ids=lambda make: make.__name__)
def test_what_is_no_file_is_no_database(whimbrel, project, make, tmp_path):
    # A short path: a socket's may have a hundred characters.
    file = Path(os.path.relpath(tmp_path / "odd", project.folder))
    with contextlib.chdir(project.folder):
        make(file)
    project.environment("dev", {"shop": f"sqlite:{tmp_path}/odd"})
    project.table("0001-people")
    for command in ("status", "plan", "apply"):
        ended = whimbrel.run(command, "--environment", "dev", code=FAILED, timeout=30)
        assert f"odd is {make.__name__.replace('_', ' ')} and no file" in ended.said, ended


@pytest.mark.parametrize("make", [a_pipe, a_socket, a_directory, a_device], ids=lambda make: make.__name__)
def test_what_is_no_file_is_no_project(whimbrel, project, make):
    with contextlib.chdir(project.folder):
        Path("whimbrel.yaml").unlink()
        make(Path("whimbrel.yaml"))
    what = "a symbolic link" if make is a_device else "no regular file"
    for arguments in (["status"], ["lint"], ["--project", ".", "status"]):
        ended = whimbrel.run(*arguments, code=None, timeout=30)
        assert ended.code not in (OK, RETRY), ended
        assert f"whimbrel.yaml: this is {what}" in ended.said, ended
    assert "there is a" in whimbrel.run("init", code=FAILED, timeout=30).said


def test_an_option_that_is_not_there_is_a_usage_error(whimbrel):
    whimbrel.run("plan", "--enviroment", "dev", code=USAGE)


def test_a_variable_that_holds_nothing_is_not_set(whimbrel, project, sqlite):
    """As pipelines and compose files pass on what nobody gave."""
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    commands = re.findall(r"^  ([a-z-]+) ", whimbrel.run("--help").out.split("Options:")[0], re.M)
    said = "".join(whimbrel.run(command, "--help").out for command in commands if command != "help")
    said += "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    names = set(re.findall(r"WHIMBREL_[A-Z_]+[A-Z]", said))
    assert {"WHIMBREL_ENVIRONMENT", "WHIMBREL_METRICS_PUSH", "WHIMBREL_GIT_TOKEN", "WHIMBREL_LISTEN", "WHIMBREL_SERVER"} <= names
    nothing = dict.fromkeys(names, "")
    for asked in ("lint", "plan", "apply", "status", "wait --migration 0001-people"):
        assert "WHIMBREL" not in whimbrel.run(*asked.split(), **nothing).err
    assert sqlite.tables() == {"people"}
    whimbrel.run("status", "--environment", "", code=USAGE)


def with_password_from(postgres, **reference):
    """The database as a user whose password comes from elsewhere."""
    return {"url": postgres.cluster.url_as(postgres.name, "by_variable"), "password": reference}


def test_a_password_appears_nowhere(whimbrel, project, cluster, postgres):
    secret = cluster.password("by_variable")
    project.environment("dev", {"shop": with_password_from(postgres, secret="env", path="SHOP_PASSWORD")})
    project.table("0001-people")
    said = ""
    for command in ("lint", "plan", "apply", "status", "history", "verify"):
        arguments = [command] if command == "lint" else [command, "--environment", "dev"]
        said += whimbrel.run(*arguments, SHOP_PASSWORD=secret).said
    project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    said += whimbrel.run("apply", "--environment", "dev", SHOP_PASSWORD=secret, code=1).said
    assert secret not in said
    kept = postgres.rows("SELECT * FROM whimbrel.migration") + postgres.rows("SELECT * FROM whimbrel.event")
    assert secret not in str(kept)


def test_a_missing_secret_names_its_reference(whimbrel, project, postgres):
    project.environment("dev", {"shop": with_password_from(postgres, secret="env", path="SHOP_PASSWORD")})
    project.table("0001-people")
    ended = whimbrel.run("status", "--environment", "dev", SHOP_PASSWORD=None, code=None)
    assert ended.code not in (0, 101)
    assert "SHOP_PASSWORD" in ended.said


def test_a_secret_in_a_file(whimbrel, project, cluster, postgres):
    secret = cluster.folder / "shop-password"
    secret.write_text(cluster.password("by_variable") + "\n")
    project.environment("dev", {"shop": with_password_from(postgres, secret="file", path=str(secret))})
    project.table("0001-people")
    whimbrel.run("apply", "--environment", "dev")
    assert postgres.tables() == {"people"}


def test_every_line_of_a_run_s_log_says_which_run_it_is(whimbrel, project, dev):
    project.table("0001-people")
    # A metric that gives no number is a line of the program's own log.
    project.migration("0002-odd", "INSERT INTO people VALUES (1)",
                      metrics=[{"name": "odd", "query": "SELECT 'no number'", "type": "gauge"}])
    ended = whimbrel.run("apply", "--environment", "dev", "--log-format", "json")
    lines = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    events = [line for line in lines if "event" in line]
    logged = [line for line in lines if "fields" in line]
    runs = {(line["run"], line["trace"]) for line in events} | {
        (line["span"]["run"], line["span"]["trace"]) for line in logged
    }
    assert len(events) > 5
    assert len(logged) == 1
    [(run, trace)] = runs
    assert trace == run.replace("-", "")
    assert len(trace) == 32
    text = whimbrel.run("revert", "0001-people", "0002-odd", "--environment", "dev", code=None)
    assert "trace" not in text.err
