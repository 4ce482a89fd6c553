"""The product as a provider that runs already, that is stopped in the middle, and that has only so much time."""

import os
import signal
import subprocess

import pytest
from support.terraform import WHIMBREL, Terraform
from support.waiting import eventually
from test_terraform import ADDRESS, environment, shorten, slow, touched
from test_terraform_migrations import migration


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


def goes_on(terraform, target):
    """Some of it is done; an apply does the rest, and nothing twice."""
    left = shorten(target)
    assert terraform.state()[ADDRESS]["migrations"] == ["0001-people"]
    assert terraform.actions() == {ADDRESS: ["update"]}
    terraform.apply()
    assert target.rows("SELECT touched, count(*) FROM people GROUP BY touched") == [(1, left)]
    kept = terraform.state()[ADDRESS]
    assert (kept["pending"], kept["applied"]) == (0, 3)
    assert terraform.actions() == {}


def test_an_interrupt_ends_an_apply_at_a_safe_point(terraform, project, postgres):
    slow(terraform, project, target := postgres)
    started = terraform.start("apply", "-auto-approve", "-no-color")
    eventually(lambda: touched(target) >= 300, "some batches are committed")
    # As a terminal does it: Terraform and its provider both get it.
    os.killpg(started.pid, signal.SIGINT)
    ended = terraform.end(started, ["apply"], code=1)
    assert "shop: interrupted" in ended.err and "plugin crashed" not in ended.said.lower(), ended
    assert 0 < touched(target) and touched(target) % 100 == 0
    goes_on(terraform, target)


def test_what_takes_too_long_ends_at_a_safe_point(terraform, project, sqlite):
    slow(terraform, project, target := sqlite)
    timeouts = '  timeouts {\n    update = "1s"\n  }'
    terraform.write(environment(project, more=timeouts), provider="")
    late = terraform.apply(code=1)
    assert "The time of the `timeouts` block is up" in late.err, late
    assert touched(target) % 100 == 0
    terraform.write(environment(project), provider="")
    goes_on(terraform, target)


def test_one_that_runs_already_serves_one_terraform_after_another(terraform, binary, sqlite):
    running = subprocess.Popen([binary, "terraform-provider", "--reattach", WHIMBREL], stdout=subprocess.PIPE, text=True,
                               env=terraform.environment(), cwd=terraform.folder)
    try:
        terraform.variables["TF_REATTACH_PROVIDERS"] = running.stdout.readline().strip()
        terraform.settle("direct {}")
        people, orders = migration(sqlite), migration(sqlite, "0002-orders", "orders", called="orders")
        terraform.write(people, provider="")
        terraform.run("init", "-no-color")
        terraform.apply()
        terraform.write(people + orders, provider="")
        terraform.apply()
        assert sqlite.tables() == {"people", "orders"} and terraform.actions() == {}
        # Each has its own configuration, and the next one hasn't that of the one before.
        terraform.write(people + orders, provider='project = "network"')
        assert "of project `terraform`" in terraform.run("plan", "-no-color", code=1).err
        terraform.write(people + orders, provider="")
        assert terraform.actions() == {}
        assert running.poll() is None
    finally:
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 0
        assert running.stdout.read() == ""
        running.stdout.close()
    assert list(terraform.temporary.glob("plugin*")) == []
