"""A real Gitea: its deliveries are the bell, and its commits and pull requests show what became of them."""

import pytest
from support.git_host import ACCOUNT, REPOSITORY
from support.gitea import Gitea
from support.hosted import Hosted
from support.prometheus import samples
from support.waiting import eventually

PLAN = "whimbrel/plan/dev"


@pytest.fixture(scope="module")
def gitea():
    """A Gitea."""
    gitea = Gitea()
    yield gitea
    gitea.stop()


class AtGitea(Hosted):
    """The same at a Gitea."""

    def __init__(self, outside, project, gitea, folder):
        super().__init__(outside, project, gitea.repository(project), gitea, folder)
        self.gitea = gitea
        self.token = gitea.token()

    def follow(self, **more):
        """Starts a server that reports, whose bell Gitea rings from now on."""
        self.keep("token", self.token.value + "\n")
        with_ = {"host": "gitea", "api": f"{self.gitea.address}/api/v1", "repository": REPOSITORY, "account": ACCOUNT,
                 "token": self.at("token")}
        report = {"with": with_, "grants": {"http": [{"to": "config:/api"}]}} | more
        webhook = {"with": {"host": "gitea"}, "secrets": [self.at("old"), self.at("new")]}
        server = self.serve(webhook=webhook, report=report)
        self.served.hook(server, self.secret)
        return server

    def shown(self, commit, state="success", context="whimbrel/dev"):
        """Waits for a status; gives what it says."""
        def is_shown():
            said = self.served.state(commit, context)
            return said if said and said[0] == state else None
        return eventually(is_shown, f"{context} is {state}")[1]


@pytest.fixture
def hosted(outside, project, sqlite, gitea, tmp_path):
    """A project with one migration at Gitea, followed by its `main`."""
    project.environment("dev", {"shop": f"sqlite:{sqlite.file}"}, branch="main")
    project.table("0001-people")
    project.commit("People")
    hosted = AtGitea(outside, project, gitea, tmp_path / "config")
    yield hosted
    hosted.stop()


def deliveries(server):
    """How deliveries were answered: results and how many."""
    found = samples(server.get("/metrics").body).get("whimbrel_webhook_requests_total", [])
    return {labels["result"]: count for labels, count in found if count}


def test_a_push_to_gitea_is_applied_and_said_at_the_commit(hosted, sqlite):
    server = hosted.follow()
    hosted.project.table("0002-pets")
    commit = hosted.publish()
    hosted.wait_for(sqlite, "people", "pets")
    assert hosted.shown(commit) == "applied"
    hosted.project.migration("0003-toys", "CREATE TABLE toys AS SELECT * FROM nowhere")
    assert "failed" in hosted.shown(hosted.publish(), "failure")
    hosted.end(server, hosted.token)


def test_a_pull_request_at_gitea_shows_its_plan_in_one_comment(hosted, sqlite):
    server = hosted.follow(pullRequests={"environments": ["dev"]})
    hosted.project.git("checkout", "--quiet", "-b", "change", "main")
    hosted.project.table("0002-pets")
    first = hosted.publish()
    number = hosted.served.propose("change")
    assert hosted.shown(first, context=PLAN) == "1 change planned"
    [comment] = eventually(lambda: hosted.served.comments(number), "it comments")
    assert "Whimbrel plan for `dev`" in comment and "CREATE TABLE pets" in comment
    hosted.project.table("0003-toys")
    second = hosted.publish("More")
    assert hosted.shown(second, context=PLAN) == "2 changes planned"
    eventually(lambda: "CREATE TABLE toys" in hosted.served.comments(number)[0], "the comment is kept up to date")
    assert len(hosted.served.comments(number)) == 1
    assert sqlite.tables() == {"people"}
    # It is merged there.
    hosted.served.merge(number)
    hosted.wait_for(sqlite, "people", "pets", "toys")
    hosted.end(server, hosted.token)


def test_a_delivery_that_gitea_signs_with_another_secret_rings_nothing(hosted, sqlite):
    server = hosted.serve(webhook={"with": {"host": "gitea"}, "secrets": [hosted.at("old")]})
    hosted.served.hook(server, hosted.secrets["new"].value)
    before = hosted.project.git("rev-parse", "HEAD")
    hosted.project.table("0002-pets")
    hosted.publish()
    eventually(lambda: sum(deliveries(server).values()) == 1, "it is delivered")
    assert deliveries(server) == {"unverified": 1}
    assert server.environment()["revision"] == before and sqlite.tables() == {"people"}
    hosted.end(server)


def test_a_token_that_was_revoked_at_gitea_stops_no_sync(hosted, sqlite):
    server = hosted.follow()
    hosted.gitea.token()
    hosted.project.table("0002-pets")
    hosted.publish()
    hosted.wait_for(sqlite, "people", "pets")
    eventually(lambda: "isn't shown" in server.running.said(), "it is said")
    ended = hosted.end(server, hosted.token)
    assert "git.credentials" in ended.said
