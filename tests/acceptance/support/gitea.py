"""A real Gitea, compiled from its Go module: a Git host whose webhooks and API are its own."""

import base64
import getpass
import http.client
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.canary import Canary
from support.git_host import ACCOUNT, REPOSITORY
from support.parts import free_port, program, surroundings
from support.waiting import eventually

OWNER, NAME = REPOSITORY.split("/")

SETTINGS = """
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {folder}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[security]
INSTALL_LOCK = true
PASSWORD_HASH_ALGO = pbkdf2_v1
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[cron.update_checker]
ENABLED = false
[log]
MODE = console
LEVEL = Warn
"""


class Gitea:
    """One with the user `acme`, who owns the repository, and an account by which the product reports."""

    user = OWNER

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbgitea-"))
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.program = program("GITEA", "gitea")
        self.settings = self.folder / "app.ini"
        static = Path(self.program).resolve().with_name("gitea-static")
        self.settings.write_text(SETTINGS.format(user=getpass.getuser(), folder=self.folder, port=self.port, static=static))
        self._run("migrate")
        self.passwords = {name: Canary.hatch(f"the password of {name} at Gitea") for name in (OWNER, ACCOUNT)}
        for name, password in self.passwords.items():
            self._run("admin", "user", "create", "--username", name, "--password", password.value,
                      "--email", f"{name}@example.com", "--must-change-password=false")
        self.log = (self.folder / "log").open("a")
        self.process = subprocess.Popen([self.program, "web", "--config", self.settings], cwd=self.folder,
                                        env=surroundings(self.folder), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        eventually(self._answers, "Gitea starts", within=120)

    def _run(self, *arguments):
        done = subprocess.run([self.program, "--config", self.settings, *arguments], cwd=self.folder, capture_output=True, text=True,
                              env=surroundings(self.folder), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _answers(self):
        assert self.process.poll() is None, Path(self.log.name).read_text()[-4000:]
        try:
            return self.call("GET", "/version")
        except OSError:
            return False

    def stop(self):
        """Ends it, and what it kept."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def password(self):
        """The owner's."""
        return self.passwords[OWNER]

    def authorization(self, user=OWNER):
        """How a user logs in."""
        return "Basic " + base64.b64encode(f"{user}:{self.passwords[user].value}".encode()).decode()

    def call(self, method, path, body=None, missing=False, user=OWNER):
        """A request to its API, whose answer is JSON; `missing` says that what isn't there is no failure."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"content-type": "application/json", "authorization": self.authorization(user)}
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        assert response.status < 400 or (missing and response.status == 404), f"{method} {path}: {response.status} {text}"
        return json.loads(text) if text.strip() else None

    def token(self):
        """A new token of the account by which the product reports; the one before is revoked."""
        name = "whimbrel"
        self.call("DELETE", f"/users/{ACCOUNT}/tokens/{name}", missing=True, user=ACCOUNT)
        value = self._run("admin", "user", "generate-access-token", "--username", ACCOUNT, "--token-name", name, "--scopes",
                          "write:repository,write:issue", "--raw").split()[-1]
        return Canary.known("a token of Gitea", value)

    def repository(self, project):
        """The repository, made anew, with what the project's clone has; the account may write to it."""
        self.call("DELETE", f"/repos/{REPOSITORY}", missing=True)
        self.call("POST", "/user/repos", {"name": NAME, "default_branch": "main", "private": True})
        self.call("PUT", f"/repos/{REPOSITORY}/collaborators/{ACCOUNT}", {"permission": "write"})
        repository = Repository(self, project)
        repository.push()
        return repository


class Repository:
    """The repository at Gitea."""

    def __init__(self, gitea, project):
        self.gitea = gitea
        self.project = project

    def push(self, *refs):
        """Pushes every branch that the project's clone has, or what is named."""
        self.project.git("-c", f"http.extraHeader=Authorization: {self.gitea.authorization()}", "push", "--quiet", "--force",
                         f"{self.gitea.address}/{REPOSITORY}.git", *(refs or ["refs/heads/*:refs/heads/*"]))

    def hook(self, server, secret):
        """Lets Gitea ring a server's bell at pushes and pull requests from now on."""
        # Gitea answers a push before it tells its hooks: one that is made in between would ring for that push too. Its
        # feed has a push only after the hooks were told.
        pushed = self.project.git("rev-parse", "HEAD").strip()
        eventually(lambda: any(pushed in (entry["content"] or "") for entry in self.gitea.call(
            "GET", f"/repos/{REPOSITORY}/activities/feeds")), "Gitea has told of what was pushed")
        config = {"url": f"http://{server.place}/hooks/shop", "content_type": "json", "secret": secret}
        self.gitea.call("POST", f"/repos/{REPOSITORY}/hooks", {
            "type": "gitea", "active": True, "events": ["push", "pull_request", "pull_request_sync"], "config": config})

    def propose(self, branch):
        """Opens a pull request; gives its number."""
        # Gitea answers a push before it has noted the branch, and then knows nothing of it.
        place = f"/repos/{REPOSITORY}/branches"
        eventually(lambda: branch in [one["name"] for one in self.gitea.call("GET", place) or []], "it knows the branch")
        asked = {"head": branch, "base": "main", "title": f"Propose {branch}"}
        return self.gitea.call("POST", f"/repos/{REPOSITORY}/pulls", asked)["number"]

    def merge(self, number):
        """Merges a pull request, once Gitea has found out whether it can be."""
        path = f"/repos/{REPOSITORY}/pulls/{number}"
        eventually(lambda: self.gitea.call("GET", path)["mergeable"], "it can be merged")
        self.gitea.call("POST", f"{path}/merge", {"Do": "merge"})

    def state(self, commit, context):
        """What is said of a commit at last: state and text, or none."""
        combined = self.gitea.call("GET", f"/repos/{REPOSITORY}/commits/{commit}/status")
        for status in combined["statuses"] or []:
            if status["context"] == context:
                return status["status"], status["description"]
        return None

    def comments(self, number):
        """The comments on a pull request by the account."""
        comments = self.gitea.call("GET", f"/repos/{REPOSITORY}/issues/{number}/comments")
        return [comment["body"] for comment in comments if comment["user"]["login"] == ACCOUNT]
