"""Terraform's plugin protocol, spoken with the real `terraform` by a provider that does next to nothing."""

import json
import os
import signal
import subprocess

import pytest
from support.terraform import IDLE, Terraform, find_or_build
from support.waiting import eventually


@pytest.fixture(scope="module")
def provider():
    """The provider."""
    return find_or_build()


@pytest.fixture
def terraform(provider, tmp_path):
    """Terraform with that provider."""
    return Terraform(tmp_path / "terraform", provider)


def thing(name="first", text="hello", more="", called="one"):
    """The configuration of one thing."""
    return f'resource "idle_thing" "{called}" {{\n  name = "{name}"\n  text = "{text}"\n{more}\n}}\n'


def test_a_life(terraform):
    terraform.write(thing())
    assert terraform.actions() == {"idle_thing.one": ["create"]}
    terraform.apply()
    assert terraform.kept("first") == {"text": "hello", "generation": 1}
    assert terraform.state()["idle_thing.one"]["id"] == "first"
    assert terraform.actions() == {}
    terraform.write(thing(text="changed"))
    assert terraform.actions() == {"idle_thing.one": ["update"]}
    terraform.apply()
    assert terraform.kept("first") == {"text": "changed", "generation": 2}
    terraform.write(thing(name="second"))
    assert terraform.actions() == {"idle_thing.one": ["delete", "create"]}
    terraform.apply()
    assert terraform.kept("second") == {"text": "hello", "generation": 1}
    assert not (terraform.things / "first.json").exists()
    terraform.destroy()
    assert list(terraform.things.iterdir()) == []
    assert terraform.state() == {}
    # Nothing of the provider's stays behind: it was told to end, and took its socket along.
    assert list(terraform.temporary.glob("plugin*")) == []


def test_what_someone_else_changed_is_seen(terraform):
    terraform.write(thing())
    terraform.apply()
    (terraform.things / "first.json").write_text(json.dumps({"text": "meddled", "generation": 7}))
    plan = terraform.plan()
    drift = plan["resource_drift"][0]["change"]
    assert (drift["before"]["text"], drift["after"]["text"]) == ("hello", "meddled")
    terraform.apply()
    assert terraform.kept("first") == {"text": "hello", "generation": 8}
    (terraform.things / "first.json").unlink()
    assert terraform.actions() == {"idle_thing.one": ["create"]}


def test_an_import_leaves_nothing_to_do(terraform):
    (terraform.things / "first.json").write_text(json.dumps({"text": "hello", "generation": 4}))
    terraform.write(thing())
    terraform.run("import", "idle_thing.one", "first")
    assert terraform.state()["idle_thing.one"]["generation"] == 4
    assert terraform.actions() == {}
    missing = terraform.run("import", "-no-color", "idle_thing.two", "nothing", code=1)
    assert "resource address" in missing.said
    terraform.write(thing() + thing(name="nothing", called="two"))
    missing = terraform.run("import", "-no-color", "idle_thing.two", "nothing", code=1)
    assert "There is no thing `nothing`" in missing.err


EVERYTHING = """
  size     = {size}
  anything = {{ list = [1, "two", null], deep = {{ flag = true }} }}
  labels   = {{ "a/b" = "1", "$c" = "2", "$$unknown" = "3" }}
  tags     = ["x", "y"]
  ports    = [{{ number = 80 }}, {{ number = 53, protocol = "udp" }}]
  rule {{
    from = "here"
  }}
  rule {{
    from = "there"
  }}
"""


@pytest.mark.parametrize("size", ["7", "-0.5", "0.1", "18446744073709551616", "1e300",
                                  "123456789012345678901234567890.123456789"])
def test_values_of_every_type_survive(terraform, size):
    terraform.write(thing(more=EVERYTHING.format(size=size)) + "output size { value = idle_thing.one.size == " + size + " }")
    terraform.apply()
    one = terraform.state()["idle_thing.one"]
    assert one["anything"] == {"list": [1, "two", None], "deep": {"flag": True}}
    assert one["labels"] == {"a/b": "1", "$c": "2", "$$unknown": "3"}
    assert one["tags"] == ["x", "y"]
    assert one["ports"] == [{"number": 80, "protocol": "tcp"}, {"number": 53, "protocol": "udp"}]
    assert [rule["from"] for rule in one["rule"]] == ["here", "there"]
    assert terraform.outputs() == {"size": True}
    assert terraform.actions() == {}


def test_what_another_resource_will_say_is_unknown_until_then(terraform):
    other = """
resource "idle_thing" "two" {
  name     = "second"
  text     = "${idle_thing.one.id} ${idle_thing.one.generation}"
  anything = idle_thing.one.generation
  labels   = { one = idle_thing.one.id, two = "number ${idle_thing.one.generation}" }
}
"""
    terraform.write(thing() + other)
    changes = {change["address"]: change["change"] for change in terraform.plan()["resource_changes"]}
    unknown = changes["idle_thing.two"]["after_unknown"]
    assert (unknown["text"], unknown["anything"], unknown["labels"]["one"], unknown["id"]) == (True,) * 4
    # Of this one Terraform tells how it begins, too.
    assert unknown["labels"]["two"] is True
    terraform.apply()
    assert terraform.kept("second")["text"] == "first 1"
    assert terraform.state()["idle_thing.two"]["anything"] == 1
    assert terraform.state()["idle_thing.two"]["labels"] == {"one": "first", "two": "number 1"}
    # What changes with the first is unknown again, and what doesn't is known.
    terraform.write(thing(text="changed") + other)
    changes = {change["address"]: change["change"] for change in terraform.plan()["resource_changes"]}
    assert changes["idle_thing.two"]["after_unknown"]["text"] is True
    assert changes["idle_thing.two"]["after"]["labels"] == {"one": "first"}
    terraform.apply()
    assert terraform.kept("second")["text"] == "first 2"


PASSWORD, SECRET = "Kq7vWzN2xTcB9rLd", "Yh4sPfJ8mGwE6uXa"


def test_a_write_only_value_is_used_and_kept_nowhere(terraform):
    def password(version, length):
        return f'password_wo = substr("{PASSWORD}", 0, {length})\npassword_wo_version = {version}'

    terraform.write(thing(more=password(1, 16)))
    plan = terraform.plan()
    terraform.apply(terraform.folder / "plan")
    one = terraform.state()["idle_thing.one"]
    assert (one["password_length"], one["password_wo"]) == (16, None)
    kept = (terraform.folder / "terraform.tfstate").read_bytes() + json.dumps(plan["resource_changes"]).encode()
    assert PASSWORD.encode() not in kept
    # A change of it alone isn't seen; of its version it is.
    terraform.write(thing(more=password(1, 8)))
    assert terraform.actions() == {}
    terraform.write(thing(more=password(2, 8)))
    terraform.apply()
    assert terraform.state()["idle_thing.one"]["password_length"] == 8


def test_sensitive_values_come_back_to_where_they_belong(terraform):
    rules = f'rule {{\n from = "x"\n secret = "{SECRET}2"\n}}'
    terraform.write(thing(more=f'secret = "{SECRET}"\n{rules}'))
    shown = terraform.run("plan", "-no-color")
    assert SECRET not in shown.said
    terraform.apply()
    one = terraform.state()["idle_thing.one"]
    assert (one["secret"], one["rule"][0]["secret"]) == (SECRET, f"{SECRET}2")
    assert terraform.actions() == {}


def test_a_secret_is_neither_moved_nor_told(terraform):
    def fault(mode):
        return f'resource "idle_fault" "one" {{\n  mode = "{mode}"\n  token = "{SECRET}"\n}}'

    terraform.write(fault("leak"))
    leaked = terraform.run("plan", "-no-color", code=1)
    assert "would show a sensitive value" in leaked.err
    assert 'idle_fault" "one"' in leaked.err
    terraform.write(fault("tell"))
    told = terraform.run("plan", "-no-color", code=1)
    assert "The token is [redacted]" in told.err
    assert SECRET not in leaked.said + told.said


def test_a_data_source_and_the_providers_own_configuration(terraform):
    terraform.write(
        'data "idle_echo" "one" {\n  text = "hello"\n  anything = [1]\n}\n'
        "output token {\n  value = data.idle_echo.one.token\n  sensitive = true\n}\n"
        "output result { value = data.idle_echo.one.result }",
        provider=f'token = "{SECRET}"',
    )
    applied = terraform.apply()
    assert terraform.outputs() == {"token": SECRET, "result": "hello"}
    assert SECRET not in applied.said


def test_functions(terraform):
    terraform.write(
        'output reversed { value = provider::idle::reverse("añb") }\n'
        'output total { value = provider::idle::total(null, 1, 2.5) }'
    )
    terraform.apply()
    assert terraform.outputs() == {"reversed": "bña", "total": {"name": None, "count": 2}}
    terraform.write('output reversed { value = provider::idle::reverse("palindrome") }')
    assert "that is none" in terraform.run("plan", "-no-color", code=1).err


def test_diagnostics_name_the_line(terraform):
    rules = 'rule {\n from = "here"\n}\nrule {\n from = "nowhere"\n}'
    terraform.write(thing(more=rules))
    lines = (terraform.folder / "main.tf").read_text().splitlines()
    wrong = terraform.run("validate", "-no-color", "-json", code=1).json()
    (diagnostic,) = [one for one in wrong["diagnostics"] if one["severity"] == "error"]
    assert diagnostic["summary"] == "A rule leads nowhere"
    assert lines[diagnostic["range"]["start"]["line"] - 1] == ' from = "nowhere"'
    terraform.write(thing(more="ports = [{ number = 1 }, { number = -5 }]"))
    assert "A port is negative" in terraform.run("validate", "-no-color", code=1).err
    terraform.write(thing(text="discouraged"))
    warned = terraform.run("validate", "-no-color")
    assert "Warning: A text is discouraged" in warned.out
    terraform.write(thing(more='timeouts {\n  create = "soon"\n}'))
    wrong = terraform.run("validate", "-no-color", code=1)
    assert "A timeout is no duration" in wrong.err
    assert '  create = "soon"' in wrong.err
    terraform.write(thing(text="precious"))
    terraform.apply()
    assert "Something precious will be gone" in terraform.run("plan", "-destroy", "-no-color").out


FAULTS = {
    "place": "This key is wrong",
    "nowhere": "Something is wrong",
    "panic in plan": "failed in a way that it should not",
    "wrong type": "expected a string, found a number",
    "wrong attribute": "`other` is no attribute of its type",
    "no object": "expected an object, found a string",
    "null": "Provider produced invalid plan",
    "panic in apply": "failed in a way that it should not",
    "unknown": "Provider returned invalid result object after apply",
    "other": "Provider produced inconsistent result after apply",
    "refused": "It can't be made",
}


@pytest.mark.parametrize("mode", FAULTS)
def test_what_a_provider_does_wrong_is_said_and_ends_nothing_else(terraform, mode):
    # Another resource of the same provider is made all the same.
    terraform.write(
        thing() + f'resource "idle_fault" "one" {{\n  mode = "{mode}"\n  list = [{{ key = "a" }}, {{ key = "b" }}]\n}}'
    )
    applied = terraform.apply("-parallelism=1", code=1)
    assert FAULTS[mode] in " ".join(applied.err.replace("│", " ").split()), applied.err
    assert "plugin crashed" not in applied.said.lower()
    if "apply" in mode or mode in {"unknown", "other", "refused"}:
        assert terraform.kept("first")["generation"] == 1


def test_a_state_of_an_older_version_is_upgraded(terraform):
    terraform.write(thing())
    terraform.apply()
    state = json.loads((terraform.folder / "terraform.tfstate").read_text())
    instance = state["resources"][0]["instances"][0]
    instance["schema_version"] = 0
    instance["attributes"]["title"] = instance["attributes"].pop("name")
    state["serial"] += 1
    (terraform.folder / "terraform.tfstate").write_text(json.dumps(state))
    assert terraform.actions() == {}
    # An attribute that this version doesn't know is left out.
    instance["schema_version"] = 1
    instance["attributes"] |= {"name": instance["attributes"].pop("title"), "gone": 1}
    state["serial"] += 1
    (terraform.folder / "terraform.tfstate").write_text(json.dumps(state))
    assert terraform.actions() == {}


def test_what_is_larger_than_grpc_s_default_goes_both_ways(terraform):
    (terraform.folder / "large").write_text("x" * 4_500_000)
    terraform.write(thing().replace('"hello"', 'file("large")') + 'output length { value = length(idle_thing.one.text) }')
    terraform.apply()
    assert terraform.outputs() == {"length": 4_500_000}
    assert terraform.actions() == {}


def test_an_interrupt_stops_what_runs(terraform):
    terraform.write(thing(more='delay = "5m"'))
    applying = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: (terraform.things / "first.begun").exists(), "the change begins")
    # As a terminal does it: both get it.
    os.killpg(applying.pid, signal.SIGINT)
    ended = terraform.end(applying, ["apply"], code=1)
    assert "The change was stopped" in ended.err
    assert (terraform.things / "first.stopped").exists()
    assert terraform.state() == {}


def test_a_timeout_stops_what_runs(terraform):
    terraform.write(thing(more='delay = "5m"\n timeouts {\n create = "1s"\n}'))
    late = terraform.apply(code=1)
    assert "The change was late" in late.err
    assert "The time of the `timeouts` block is up" in late.err


def test_a_killed_provider_is_an_error_and_the_next_apply_goes_on(terraform):
    terraform.write(thing(more='delay = "5m"'))
    applying = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: (terraform.things / "first.begun").exists(), "the change begins")
    (provider,) = providers(terraform)
    os.kill(provider, signal.SIGKILL)
    ended = terraform.end(applying, ["apply"], code=1)
    # Which of the two Terraform says depends on whether it sees the broken connection or the gone process first.
    assert "Plugin did not respond" in ended.err or "request was cancelled" in ended.err
    terraform.write(thing())
    terraform.apply()
    assert terraform.kept("first")["generation"] == 1


def test_a_provider_ends_with_a_killed_terraform(terraform):
    terraform.write(thing(more='delay = "5m"'))
    applying = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: (terraform.things / "first.begun").exists(), "the change begins")
    applying.kill()
    applying.communicate()
    eventually(lambda: (terraform.things / "first.gone").exists(), "the change is stopped")
    eventually(lambda: providers(terraform) == [], "the provider ends")
    assert list(terraform.temporary.glob("plugin*")) == []


def providers(terraform):
    """The processes of the provider that have this terraform's folder."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    variables = file.read()
                program = os.readlink(f"/proc/{entry}/exe")
            except OSError:
                continue
            if program == os.path.realpath(terraform.provider) and str(terraform.folder).encode() in variables:
                found.append(int(entry))
    return found


def test_it_is_installed_from_a_folder(terraform):
    terraform.mirror()
    terraform.write(thing())
    terraform.run("init", "-no-color")
    assert IDLE in (terraform.folder / ".terraform.lock.hcl").read_text()
    terraform.apply()
    assert terraform.kept("first")["generation"] == 1


def test_one_that_runs_already_serves_one_terraform_after_another(terraform, provider, tmp_path):
    running = subprocess.Popen([provider, "--reattach", IDLE], stdout=subprocess.PIPE, text=True,
                               env=terraform.environment())
    try:
        terraform.variables["TF_REATTACH_PROVIDERS"] = running.stdout.readline().strip()
        terraform.settle("direct {}")
        terraform.write(thing())
        terraform.run("init", "-no-color")
        terraform.apply()
        terraform.write(thing(text="changed"))
        terraform.apply()
        assert terraform.kept("first")["generation"] == 2
        assert running.poll() is None
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 0
        assert running.stdout.read() == ""
        running.stdout.close()
    assert list(terraform.temporary.glob("plugin*")) == []


def test_a_person_is_told_what_it_is(provider, terraform):
    ended = subprocess.run([provider], env=terraform.environment(), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Terraform starts it" in ended.stderr


@pytest.mark.parametrize("spoken", ["4,5", "7"])
def test_another_protocol_is_refused(provider, terraform, spoken):
    cookie = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
    variables = terraform.environment(TF_PLUGIN_MAGIC_COOKIE=cookie, PLUGIN_PROTOCOL_VERSIONS=spoken)
    ended = subprocess.run([provider], env=variables, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"plugin protocols {spoken}" in ended.stderr
