"""Deliveries of other Git hosts than GitHub: genuine payloads, changed only where they say what was pushed where, with the
headers that each host sends and its own proof."""

import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from pathlib import Path

from support.git_host import REPOSITORY, Delivery

OWNER, NAME = REPOSITORY.split("/")
NOTHING = "0" * 40


def payload(host, name):
    """A genuine payload of the packages that `cargo xtask tools` fetches."""
    cache = Path(os.environ.get("WHIMBREL_CACHE", Path.home() / ".cache/whimbrel"))
    file = cache / "tools/payloads/testdata" / host / f"{name}.json"
    assert file.exists(), f"no {file}: `cargo xtask tools` fetches genuine payloads"
    return json.loads(file.read_text())


def _sign(secret, body, digest=hashlib.sha256):
    return hmac.new(secret.encode(), body, digest).hexdigest()


class Signed(Delivery):
    """A delivery of a host with its headers; without a secret it has no proof."""

    def __init__(self, headers, content, secret, proof):
        self.body = json.dumps(content).encode()
        self.headers = {"Content-Type": "application/json"} | headers
        if secret is not None:
            self.headers |= proof(secret, self.body)


class Forgejo:
    """Forgejo sends the headers of all whom it comes from."""

    name = "forgejo"
    proof = "X-Forgejo-Signature"

    @staticmethod
    def reference(number):
        """Where it has the commits of a pull request."""
        return f"refs/pull/{number}/head"

    def deliver(self, event, content, secret):
        """A delivery of an event."""
        headers, delivery = {}, str(uuid.uuid4())
        for whose in ("Forgejo", "Gitea", "Gogs", "GitHub"):
            headers |= {f"X-{whose}-Delivery": delivery, f"X-{whose}-Event": event, f"X-{whose}-Event-Type": event}

        def proof(secret, body):
            digest = _sign(secret, body)
            return {f"X-{whose}-Signature": digest for whose in ("Forgejo", "Gitea", "Gogs")} | {
                "X-Hub-Signature": f"sha1={_sign(secret, body, hashlib.sha1)}", "X-Hub-Signature-256": f"sha256={digest}"}
        return Signed(headers, content, secret, proof)

    def push(self, commit, secret):
        """A delivery of a push to `main`."""
        content = payload("gitea", "push-event")
        content |= {"ref": "refs/heads/main", "after": commit}
        content["head_commit"]["id"] = content["commits"][0]["id"] = commit
        content["repository"] |= {"full_name": REPOSITORY, "name": NAME}
        return self.deliver("push", content, secret)

    def pull_request(self, number, branch, commit, secret):
        """A delivery of a pull request that was opened."""
        content = payload("gitea", "pull-request-event")
        content |= {"action": "opened", "number": number}
        content["repository"]["full_name"] = REPOSITORY
        pull = content["pull_request"]
        pull |= {"number": number, "state": "open"}
        pull["head"] |= {"ref": branch, "label": branch, "sha": commit}
        pull["base"] |= {"ref": "main", "label": "main"}
        for side in ("head", "base"):
            pull[side]["repo"]["full_name"] = REPOSITORY
        return self.deliver("pull_request", content, secret)


class _Bitbucket:
    proof = "X-Hub-Signature"

    def deliver(self, event, content, secret):
        """A delivery of an event."""
        def proof(secret, body):
            return {"X-Hub-Signature": f"sha256={_sign(secret, body)}"}
        return Signed({"X-Event-Key": event} | self.headers(), content, secret, proof)


class BitbucketCloud(_Bitbucket):
    """It abbreviates commits, and has no reference of a pull request's own."""

    name = "bitbucket-cloud"

    @staticmethod
    def reference(number):
        """Where it has the commits of a pull request."""
        return f"refs/heads/change-{number}"

    @staticmethod
    def headers():
        """What it sends besides."""
        return {"User-Agent": "Bitbucket-Webhooks/2.0", "X-Attempt-Number": "1", "X-Request-UUID": str(uuid.uuid4()),
                "X-Hook-UUID": "673a6070-3421-46c9-9d48-90745f7bfe8e"}

    def push(self, commit, secret):
        """A delivery of a push to `main`."""
        content = payload("bitbucket", "repo-push")
        content["repository"] |= {"full_name": REPOSITORY, "name": NAME}
        [change] = content["push"]["changes"]
        for side in ("old", "new"):
            change[side]["name"] = "main"
        change["new"]["target"]["hash"] = commit
        return self.deliver("repo:push", content, secret)

    def pull_request(self, number, branch, commit, secret):
        """A delivery of a pull request that was opened."""
        content = payload("bitbucket", "pull-request-created")
        pull = content["pullrequest"]
        pull |= {"id": number, "state": "OPEN"}
        pull["source"] |= {"branch": {"name": branch}, "commit": {"hash": commit[:12]}}
        pull["destination"]["branch"]["name"] = "main"
        for repository in (content["repository"], pull["source"]["repository"], pull["destination"]["repository"]):
            repository |= {"full_name": REPOSITORY, "name": NAME}
        return self.deliver("pullrequest:created", content, secret)


class BitbucketDataCenter(_Bitbucket):
    """Its repositories are of projects, with keys in capitals."""

    name = "bitbucket-data-center"

    @staticmethod
    def reference(number):
        """Where it has the commits of a pull request."""
        return f"refs/pull-requests/{number}/from"

    @staticmethod
    def headers():
        """What it sends besides."""
        return {"User-Agent": "Atlassian HttpClient 2.1.5 / Bitbucket-6.10.0 (6010000) / Default",
                "X-Request-Id": str(uuid.uuid4())}

    def _is_ours(self, repository):
        repository["slug"] = NAME
        repository["project"]["key"] = OWNER.upper()

    def push(self, commit, secret):
        """A delivery of a push to `main`."""
        content = payload("bitbucket-server", "repo-refs-changed")
        self._is_ours(content["repository"])
        [change] = content["changes"]
        change["ref"] |= {"id": "refs/heads/main", "displayId": "main"}
        change |= {"refId": "refs/heads/main", "toHash": commit, "type": "UPDATE"}
        return self.deliver("repo:refs_changed", content, secret)

    def pull_request(self, number, branch, commit, secret):
        """A delivery of a pull request that was opened."""
        content = payload("bitbucket-server", "pr-opened")
        pull = content["pullRequest"]
        pull["id"] = number
        pull["fromRef"] |= {"id": f"refs/heads/{branch}", "displayId": branch, "latestCommit": commit}
        pull["toRef"] |= {"id": "refs/heads/main", "displayId": "main"}
        for side in ("fromRef", "toRef"):
            self._is_ours(pull[side]["repository"])
        return self.deliver("pr:opened", content, secret)


class GitLab:
    """With a secret token."""

    name = "gitlab"
    proof = "X-Gitlab-Token"

    @staticmethod
    def reference(number):
        """Where it has the commits of a merge request."""
        return f"refs/merge-requests/{number}/head"

    def deliver(self, event, content, secret):
        """A delivery of an event."""
        one = str(uuid.uuid4())
        headers = {"User-Agent": "GitLab/17.5.1", "X-Gitlab-Event": event, "X-Gitlab-Event-UUID": one,
                   "X-Gitlab-Webhook-UUID": str(uuid.uuid4()), "X-Gitlab-Instance": "https://gitlab.example.com",
                   "Idempotency-Key": one}
        return Signed(headers, content, secret, self.prove)

    def prove(self, secret, _):
        """What shows that it is genuine."""
        return {"X-Gitlab-Token": secret}

    def push(self, commit, secret):
        """A delivery of a push to `main`."""
        content = payload("gitlab", "push-event")
        content |= {"ref": "refs/heads/main", "after": commit, "checkout_sha": commit}
        content["project"]["path_with_namespace"] = REPOSITORY
        return self.deliver("Push Hook", content, secret)

    def pull_request(self, number, branch, commit, secret):
        """A delivery of a merge request that was opened."""
        content = payload("gitlab", "merge-request-event")
        content["project"]["path_with_namespace"] = REPOSITORY
        asked = content["object_attributes"]
        asked |= {"iid": number, "source_branch": branch, "target_branch": "main", "action": "open", "state": "opened"}
        asked["last_commit"]["id"] = commit
        for side in ("source", "target"):
            asked[side]["path_with_namespace"] = REPOSITORY
        return self.deliver("Merge Request Hook", content, secret)


class SigningGitLab(GitLab):
    """With a signing token: its key is base64 after `whsec_`."""

    proof = "webhook-signature"

    def prove(self, secret, body):
        """What shows that it is genuine."""
        one, now = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.new(key, f"{one}.{now}.".encode() + body, hashlib.sha256).digest()
        return {"webhook-id": one, "webhook-timestamp": now,
                "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
