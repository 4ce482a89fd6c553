"""An AWS Secrets Manager that checks signatures: moto, filled by boto3 past the product."""

import copy
import json
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.canary import Canary
from support.parts import free_port, program, surroundings
from support.product import ROOT
from support.waiting import eventually

REGION = "eu-central-1"
# Calls that go unchecked: those that make the first user.
UNCHECKED = 3


class Aws:
    """A server, and who may do everything there."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="wbaws-"))
        moto = Path(program("MOTO_SERVER", "moto_server")).resolve()
        # The interpreter beside it has boto3.
        self._python = moto.with_name("python")
        self.trusted = None
        self._caller = None
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [moto, "-H", "127.0.0.1", "-p", str(port)], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=surroundings(self.folder, INITIAL_NO_AUTH_ACTION_COUNT=str(UNCHECKED)),
            )
        eventually(self._answers, "moto answers", within=90)
        self.administrator = {"access_key_id": "unchecked", "secret_access_key": "unchecked"}
        self.administrator = self.user("administrator", "*")

    def _answers(self):
        try:
            return urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=5).status == 200
        except OSError:
            return False

    def stop(self):
        """Ends it, and what it kept."""
        self.hang_up()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def at(self, proxy):
        """The same server behind a proxy."""
        beside = copy.copy(self)
        beside.endpoint, beside.trusted, beside._caller = proxy.address, proxy.certificate, None
        return beside

    def hang_up(self):
        """Ends the process that calls."""
        if self._caller:
            self._caller.communicate()
            self._caller = None

    def call(self, service, operation, credentials=None, **parameters):
        """Calls an operation by boto3's names and gives the answer."""
        asked = {
            "endpoint": self.endpoint, "region": REGION, "credentials": credentials or self.administrator,
            "service": service, "operation": operation, "parameters": parameters,
        }
        if not self._caller:
            trusted = {"AWS_CA_BUNDLE": str(self.trusted)} if self.trusted else {}
            self._caller = subprocess.Popen(
                [self._python, ROOT / "tests/crates/aws-server/src/call.py"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True, env=surroundings(self.folder, **trusted),
            )
        self._caller.stdin.write(json.dumps(asked) + "\n")
        self._caller.stdin.flush()
        answer = json.loads(self._caller.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{service}.{operation}: {answer['error']}")
        return answer["answer"]

    def leave_unchecked(self, calls):
        """Lets so many calls pass without a signature: moto wants one even of AssumeRoleWithWebIdentity, which has none."""
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth", str(calls).encode(), {"content-type": "text/plain"}
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200

    def role(self, name, action):
        """Makes a role that anybody may assume and that may do this, and gives its ARN."""
        may = {"Effect": "Allow", "Principal": {"Federated": "*", "AWS": "*"},
               "Action": ["sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"]}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        arn = self.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.call("iam", "put_role_policy", RoleName=name, PolicyName="all", PolicyDocument=policy(action))
        return arn

    def assumed(self, name, action):
        """What a workload is given that has such a role."""
        role = self.role(name, action)
        given = self.call("sts", "assume_role", RoleArn=role, RoleSessionName="workload")["Credentials"]
        Canary.known(f"the access key of {name}", given["SecretAccessKey"])
        Canary.known(f"the session token of {name}", given["SessionToken"])
        return given

    def user(self, name, action):
        """Makes a user who may do this, and gives an access key of theirs."""
        self.call("iam", "create_user", UserName=name)
        self.call("iam", "put_user_policy", UserName=name, PolicyName="all", PolicyDocument=policy(action))
        key = self.call("iam", "create_access_key", UserName=name)["AccessKey"]
        Canary.known(f"the access key of {name}", key["SecretAccessKey"])
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


def policy(action):
    """A policy that allows this."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class PodIdentityAgent:
    """Answers as the agent of EKS Pod Identity does: whoever shows the pod's token is given these credentials."""

    def __init__(self, given):
        self.token = Canary.hatch("the token of a pod", plain=True).value
        self.asked = []
        document = json.dumps({
            "AccessKeyId": given["AccessKeyId"], "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"], "Expiration": "2099-01-01T00:00:00Z",
        }).encode()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                known = self.path == "/v1/credentials" and self.headers["authorization"] == agent.token
                agent.asked.append(known)
                body = document if known else b""
                self.send_response(200 if known else 401)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
