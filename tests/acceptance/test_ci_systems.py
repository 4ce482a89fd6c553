"""The stages of a pipeline in deploy/ci, as GitHub Actions, GitLab CI and Jenkins run them."""

import json
import subprocess
import xml.etree.ElementTree as xml

import pytest
from support.pipelines import SYSTEMS, Change, GitHub, GitLab
from support.product import FAILED, FINDINGS, OK, REFUSED, USAGE


# What each stage leaves, as deploy/ci/README.md says it, with what it tells later jobs.
LEFT = {
    "lint": {"lint.sarif", "lint.junit.xml"},
    "plan": {"plan.json", "plan.md", "plan.sarif", "plan.junit.xml", "plan.env"},
    "apply": {"apply.json", "apply.junit.xml"},
    "status": {"status.json"},
}


@pytest.fixture
def origin(project, postgres, tmp_path):
    """The repository that pipelines clone. `dev` follows `main`, and one migration is there."""
    project.environment("dev", {"shop": postgres.url}, branch="main")
    project.table("0001-people")
    bare = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    project.git("remote", "add", "origin", bare)
    push(project, "People")
    return bare


@pytest.fixture(params=SYSTEMS)
def pipeline(request, binary, tmp_path, origin):
    """A workspace of each system."""
    return SYSTEMS[request.param](binary, tmp_path / "workspace" / "shop", origin)


def push(project, message, branch="main"):
    """Commits and pushes everything, and gives the commit."""
    commit = project.commit(message)
    project.git("push", "--quiet", "--force", "origin", f"HEAD:{branch}")
    return commit


def report(pipeline, name):
    return json.loads((pipeline.artifacts / name).read_text())


def test_a_pipeline_from_lint_to_status(pipeline, project, postgres, whimbrel):
    pipeline.checkout(project.git("rev-parse", "HEAD"))
    assert pipeline.run("lint").code == 0
    assert report(pipeline, "lint.sarif")["version"] == "2.1.0"
    planned = pipeline.run("plan")
    assert planned.code == 0, planned.said
    assert "0001-people" in planned.said
    assert planned.told == {"pending": "true", "plan": report(pipeline, "plan.json")["digest"]}
    assert "0001-people" in (pipeline.artifacts / "plan.md").read_text()
    assert report(pipeline, "plan.sarif")["version"] == "2.1.0"
    assert postgres.tables() == set()
    applied = pipeline.apply(planned.told["plan"])
    assert applied.code == 0, applied.said
    assert postgres.tables() == {"people"}
    for name in ("lint.junit.xml", "plan.junit.xml", "apply.junit.xml"):
        suite = xml.parse(pipeline.artifacts / name).getroot()
        assert any("0001-people" in case.get("name") for case in suite.iter("testcase")), name
    assert report(pipeline, "apply.json")["plan"] == planned.told["plan"]
    assert pipeline.run("status").code == 0
    assert report(pipeline, "status.json")
    assert pipeline.run("plan").told["pending"] == "false"
    assert pipeline.ACTOR in whimbrel.run("history").out


def test_findings_fail_the_stage_and_stand_in_its_reports(pipeline, project):
    project.migration("0002-by-name", "CREATE INDEX people_by_id ON people (id)")
    project.environment("dev", {"shop": "postgres://localhost/shop"}, policy={"destructive": "Forbid"})
    project.migration("0003-gone", "DROP TABLE people")
    pipeline.checkout(push(project, "Gone"))
    job = pipeline.run("lint")
    assert job.code == FINDINGS, job.said
    results = report(pipeline, "lint.sarif")["runs"][0]["results"]
    assert "migrations/0003-gone.yaml" in json.dumps(results)
    failures = xml.parse(pipeline.artifacts / "lint.junit.xml").getroot().iter("failure")
    assert list(failures)


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_system_keeps_what_a_stage_leaves(pipeline, project, ends):
    """However it ends, and the results of tests where it reads such."""
    if ends == "badly":
        project.migration("0002-broken", "INSERT INTO nowhere VALUES (1)")
    commit = push(project, "More")
    for stage, left in LEFT.items():
        pipeline.checkout(commit)
        job = pipeline.run(stage)
        assert (job.code == OK) == (ends == "well" or stage in ("lint", "plan", "status")), job.said
        assert {file.name for file in pipeline.artifacts.iterdir()} == left == job.kept
        has_tests = pipeline.READS_TESTS and f"{stage}.junit.xml" in left
        assert job.tests == ({f"{stage}.junit.xml"} if has_tests else set())
    # A stage that could not even begin its work leaves what it knows.
    project.environment("dev", {"shop": "postgres://127.0.0.1:1/shop"}, branch="main")
    pipeline.checkout(push(project, "Nowhere"))
    job = pipeline.run("apply")
    assert job.code != OK and job.kept == {file.name for file in pipeline.artifacts.iterdir()}


def test_where_migrations_stand_is_told_after_a_failure_too():
    """On GitLab, where that is a job of its own: after the one that applies, on the same branch."""
    jobs = GitLab.jobs("dev")
    apply, status = jobs["whimbrel-apply-dev"], jobs["whimbrel-status-dev"]
    assert status["needs"] == ["whimbrel-apply-dev"]
    assert status["rules"] == [rule | {"when": "always"} for rule in apply["rules"]]


def test_only_the_plan_that_was_shown_is_applied(pipeline, project, postgres):
    pipeline.checkout(project.git("rev-parse", "HEAD"))
    shown = pipeline.run("plan").told["plan"]
    project.table("0002-orders")
    pipeline.checkout(push(project, "Orders"))
    job = pipeline.apply(shown)
    assert job.code == REFUSED, job.said
    assert postgres.tables() == set()


def test_an_old_job_that_is_run_again_is_refused(pipeline, project, postgres):
    old = project.git("rev-parse", "HEAD")
    project.table("0002-orders")
    new = push(project, "Orders")
    pipeline.checkout(new)
    assert pipeline.run("apply").code == 0
    pipeline.checkout(old)
    job = pipeline.run("apply")
    assert job.code == REFUSED, job.said
    assert "0002-orders" in job.said
    assert postgres.tables() == {"people", "orders"}


def test_a_change_decides_on_migrations_and_on_nothing_else(pipeline, project, postgres, tmp_path):
    stolen = tmp_path / "stolen.db"
    project.git("checkout", "--quiet", "-b", "hostile")
    project.environment("dev", {"shop": f"sqlite:{stolen}"})
    project.table("0002-orders")
    pipeline.checkout(push(project, "Hostile", branch="hostile"))
    planned = pipeline.run("plan", Change("main"))
    assert planned.code == 0, planned.said
    assert "0002-orders" in planned.said and "origin/main" in planned.said
    assert not stolen.exists()
    job = pipeline.run("apply", Change("main"))
    assert job.code == REFUSED and not stolen.exists(), job.said
    assert postgres.tables() == set()


def test_a_change_must_not_edit_what_its_branch_has(pipeline, project):
    project.git("checkout", "--quiet", "-b", "edit")
    project.migration("0001-people", "CREATE TABLE people (id text PRIMARY KEY)")
    pipeline.checkout(push(project, "Edit", branch="edit"))
    assert pipeline.run("lint").code == 0
    job = pipeline.run("lint", Change("main"))
    assert job.code != 0
    assert "0001-people" in job.said


def test_a_stage_that_fails_fails_its_job(pipeline, project):
    project.environment("dev", {"shop": "postgres://127.0.0.1:1/shop"}, branch="main")
    pipeline.checkout(push(project, "Nowhere"))
    for stage in ("plan", "apply"):
        assert pipeline.run(stage).code not in (0, FINDINGS), stage
    assert "plan" not in pipeline.run("plan").told


def test_a_plan_that_can_not_be_run_fails_its_job_and_shows_why(pipeline, project, postgres):
    project.environment("dev", {"shop": postgres.url}, branch="main", policy={"destructive": "Forbid"})
    project.migration("0002-gone", "DROP TABLE people")
    pipeline.checkout(push(project, "Gone"))
    job = pipeline.run("plan")
    assert job.code == REFUSED and "plan" not in job.told, job.said
    assert "data would be lost" in (pipeline.artifacts / "plan.md").read_text()


def test_an_unknown_stage_is_told(binary, origin, tmp_path):
    pipeline = GitHub(binary, tmp_path / "workspace", origin)
    job = pipeline.run("deploy")
    assert job.code == USAGE
    assert "lint, plan, apply or status" in job.said


def test_nothing_of_an_input_becomes_a_script(binary, origin, tmp_path):
    pipeline = GitHub(binary, tmp_path / "workspace", origin)
    job = pipeline.run("plan", environment="$(touch stolen); touch stolen", arguments="; touch stolen")
    assert job.code not in (0, None)
    assert not list(tmp_path.rglob("stolen"))


def test_reports_are_written_beside_the_answer(whimbrel, project, dev):
    project.table("0001-people")
    ended = whimbrel.run("plan", "--report", "json=out/plan.json", "--report", "markdown=out/plan.md")
    assert "0001-people" in ended.out
    assert json.loads((project.folder / "out/plan.json").read_text())["digest"]
    ended = whimbrel.run("status", "--report", "sarif=x", code=USAGE)
    assert "no output as `sarif`" in ended.err
    ended = whimbrel.run("lint", "--report", "xml=x", code=USAGE)
    assert "xml" in ended.err
    (project.folder / "file").write_text("")
    ended = whimbrel.run("plan", "--report", "json=file/plan.json", code=FAILED)
    assert "writing the report" in ended.err
    # What was done is done, whoever may hear of it.
    ended = whimbrel.run("apply", "--report", "json=file/apply.json")
    assert "writing the report" in ended.err
    assert dev.tables() == {"people"}
