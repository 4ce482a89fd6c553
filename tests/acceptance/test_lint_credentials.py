"""Credentials that somebody wrote into a project: errors of `lint`, each passed only with a reason, and never repeated."""

import pytest
from support.product import FINDINGS, OK

RANDOM = "q7Zk2Lx9Vb4NwT8sYp3RmD6f"


def lint(whimbrel, code):
    """What is found, by rule and severity."""
    ended = whimbrel.run("lint", "--format", "json", code=code)
    return [(finding["rule"], finding["severity"]) for finding in ended.json()["findings"]], ended


@pytest.mark.parametrize(("text", "rule"), [
    (f"SELECT '{RANDOM}'", "high-entropy-text"),
    ("SELECT 'postgres://ada:s3/cr?et@db/shop'", "plain-text-credential"),
    ("SELECT 'ghp_canary4711canary4711canary4711canary'", "plain-text-credential"),
])
def test_a_credential_is_an_error_until_somebody_says_why_it_is_none(whimbrel, project, text, rule):
    project.environment("dev", {"shop": "sqlite:shop.db"})
    project.plain("0001-look", f"{text};", "SELECT 1;")
    found, ended = lint(whimbrel, FINDINGS)
    assert (rule, "error") in found
    assert "canary" not in ended.said and RANDOM not in ended.said and "s3/cr?et" not in ended.said
    # Without a reason nothing passes.
    project.plain("0001-look", f"-- whimbrel:allow-credential\n{text};", "SELECT 1;")
    assert (rule, "error") in lint(whimbrel, FINDINGS)[0]
    project.plain("0001-look", f"-- whimbrel:allow-credential from the vendor's manual\n{text};", "SELECT 1;")
    assert lint(whimbrel, OK)[0] == []


@pytest.mark.parametrize("rule", ["high-entropy-text", "plain-text-credential"])
def test_a_project_can_not_let_all_of_them_pass(whimbrel, project, rule):
    project.declare(lint={"rules": {rule: "Off"}})
    project.environment("dev", {"shop": "sqlite:shop.db"})
    project.plain("0001-look", f"SELECT '{RANDOM}';", "SELECT 1;")
    ended = whimbrel.run("lint", code=None)
    assert ended.code != OK and rule in ended.said
