"""CI systems as far as a job sees them: the files in deploy/ci read as the system reads them, and the variables that it sets."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from support.evidence import SUITE
from support.product import ROOT, environment

SCRIPTS = ROOT / "deploy/ci"


@dataclass
class Job:
    """A job that ended, with what it tells later ones."""

    code: int
    said: str
    told: dict
    # The files that the system keeps of it, and those that it reads as test results; by their names.
    kept: set
    tests: set


@dataclass
class Change:
    """A pull request, merge request or multibranch build, by the branch that it wants to go to."""

    target: str


class Pipeline:
    """One system's workspace: a clone, checked out at a commit, as jobs find it."""

    def __init__(self, binary, folder, origin):
        self.folder = Path(folder)
        self.binary = binary
        self.artifacts = self.folder / "whimbrel-artifacts"
        subprocess.run(["git", "clone", "--quiet", origin, self.folder], env=environment(), check=True)

    def checkout(self, commit):
        """Fetches, and checks a commit out with nothing of an earlier job left."""
        for command in (("fetch", "--quiet", "--all"), ("checkout", "--quiet", "--force", "--detach", commit)):
            subprocess.run(["git", *command], cwd=self.folder, env=environment(), check=True)
        shutil.rmtree(self.artifacts, ignore_errors=True)

    def execute(self, shell, script, variables):
        """Runs a script in the workspace with nothing but a job's variables."""
        done = subprocess.run([*shell, script], cwd=self.folder, capture_output=True, text=True, timeout=240, check=False,
                              env=environment(WHIMBREL_BIN=self.binary, **variables))
        SUITE.keep([script], done.stdout, done.stderr)
        return done.returncode, done.stdout + done.stderr

    def files(self, path):
        """The names of the files that a path of the workspace means, with a pattern in it or as a folder."""
        found = [self.folder / path] if not re.search(r"[*?]", path) else self.folder.glob(path)
        each = [file for one in found for file in (one.rglob("*") if one.is_dir() else [one])]
        return {file.name for file in each if file.is_file()}

    def pairs(self, file):
        """The NAME=VALUE lines of a file."""
        lines = file.read_text().splitlines() if file.exists() else []
        return dict(line.split("=", 1) for line in lines)


class GitHub(Pipeline):
    """GitHub Actions, with the composite action."""

    ACTOR = "ada (https://github.example/acme/shop/actions/runs/17)"
    READS_TESTS = False

    def run(self, stage, change=None, **inputs):
        """Runs the action's own step."""
        action = yaml.safe_load((SCRIPTS / "github/action.yaml").read_text())
        step, upload = action["runs"]["steps"]
        given = {name: str(item.get("default", "")) for name, item in action["inputs"].items()}
        given |= {name: str(value) for name, value in (inputs | {"stage": stage}).items()}
        def filled(text):
            return re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: given[match[1]], text)
        variables = {name: filled(value) for name, value in step["env"].items()}
        outputs, summary = self.folder.parent / "github-output", self.folder.parent / "github-summary"
        outputs.write_text("")
        variables |= {
            "GITHUB_ACTIONS": "true", "GITHUB_ACTION_PATH": SCRIPTS / "github", "GITHUB_ACTOR": "ada",
            "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "17",
            "GITHUB_OUTPUT": outputs, "GITHUB_STEP_SUMMARY": summary,
            "GITHUB_BASE_REF": change.target if change else "",
        }
        code, said = self.execute([step["shell"], "-e", "-c"], step["run"], variables)
        told = self.pairs(outputs)
        shown = {name: told.get(re.search(r"outputs\.(\w+)", item["value"])[1]) for name, item in action["outputs"].items()}
        # Without a word about failures a step is for successes alone.
        assert upload["uses"].startswith("actions/upload-artifact@") and upload["if"] == "${{ !cancelled() }}"
        kept = self.files(filled(upload["with"]["path"]))
        # GitHub reads no test results.
        return Job(code, said, {name: value for name, value in shown.items() if value is not None}, kept, set())

    def apply(self, plan, **inputs):
        """The apply job, with what the plan job told."""
        return self.run("apply", plan=plan, **inputs)


class GitLab(Pipeline):
    """GitLab CI, with the component."""

    ACTOR = "ada (https://gitlab.example/acme/shop/-/jobs/17)"
    READS_TESTS = True

    @staticmethod
    def jobs(environment):
        """The component's jobs for an environment."""
        inputs, jobs = yaml.safe_load_all((SCRIPTS / "gitlab/template.yml").read_text())
        given = {name: item.get("default") for name, item in inputs["spec"]["inputs"].items()}
        given |= {"environment": environment, "scripts": str(SCRIPTS)}
        return yaml.safe_load(re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda match: given[match[1]], yaml.safe_dump(jobs)))

    def run(self, stage, change=None, environment="dev", **variables):
        """Runs a job's script."""
        jobs = self.jobs(environment)
        job = jobs[f"whimbrel-{stage}-{environment}"]
        variables |= jobs[f".whimbrel-{environment}"]["variables"] | {
            "CI": "true", "GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ada",
            "CI_JOB_URL": "https://gitlab.example/acme/shop/-/jobs/17",
        }
        if change:
            variables["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"] = change.target
        code, said = self.execute(["bash", "-eo", "pipefail", "-c"], "\n".join(job["script"]), variables)
        artifacts = job["artifacts"]
        reports = artifacts.get("reports", {})
        told = self.pairs(self.folder / reports["dotenv"]) if "dotenv" in reports else {}
        if code != 0 and artifacts.get("when", "on_success") == "on_success":
            return Job(code, said, _plain(told), set(), set())
        kept = set().union(*map(self.files, artifacts["paths"]))
        return Job(code, said, _plain(told), kept, self.files(reports["junit"]) if "junit" in reports else set())

    def apply(self, plan, **variables):
        """The apply job: what a dotenv report holds is a variable of later jobs."""
        return self.run("apply", WHIMBREL_PLAN=plan, **variables)


class Jenkins(Pipeline):
    """Jenkins, with the step of the shared library: its strings are read, Groovy isn't run."""

    ACTOR = "ada (https://jenkins.example/job/shop/17/)"
    READS_TESTS = True

    def run(self, stage, change=None, **options):
        """Runs the shell command of the step in the environment that it is given."""
        source = (SCRIPTS / "jenkins/vars/whimbrel.groovy").read_text()
        given = {"stage": stage, "environment": "dev", "scripts": str(SCRIPTS)} | options
        named = {name: given.get(name, default) for name, default in
                 re.findall(r"def (\w+) = options\.\w+ \?: '([^']*)'", source)}
        def filled(text):
            text = re.sub(r"\$\{options\.(\w+)(?: \?: '([^']*)')?\}", lambda m: str(given.get(m[1]) or m[2] or ""), text)
            return re.sub(r"\$\{(\w+)\}", lambda match: named[match[1]], text)
        block = re.search(r"withEnv\(\[(.*?)\]\)", source, re.DOTALL)[1]
        variables = dict(filled(line).split("=", 1) for line in re.findall(r'"(.*?)"', block))
        variables |= {
            "JENKINS_URL": "https://jenkins.example/", "BUILD_URL": "https://jenkins.example/job/shop/17/", "BUILD_USER_ID": "ada",
        }
        if change:
            variables["CHANGE_TARGET"] = change.target
        code, said = self.execute(["sh", "-xe", "-c"], filled(re.search(r'sh "(.*?)"\n', source)[1]), variables)
        # What is done however the stage ends.
        last = re.search(r"\} finally \{\n(.*?)\n +\}\n", source, re.DOTALL)[1]
        kept = self.files(filled(re.search(r'archiveArtifacts artifacts: "(.*?)"', last)[1]))
        tests = self.files(filled(re.search(r'junit testResults: "(.*?)"', last)[1]))
        return Job(code, said, _plain(self.pairs(self.artifacts / f"{stage}.env")), kept, tests)

    def apply(self, plan, **options):
        """The apply step, with what the plan step gave."""
        return self.run("apply", plan=plan, **options)


def _plain(told):
    """The names without their prefix."""
    return {name.removeprefix("WHIMBREL_").lower(): value for name, value in told.items()}


SYSTEMS = {"github": GitHub, "gitlab": GitLab, "jenkins": Jenkins}
