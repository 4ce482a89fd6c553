"""An AWS Secrets Manager that checks signatures: moto, filled by boto3 past the product."""

import copy
import json
import shutil
import subprocess
import tempfile
import urllib.request
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

    def user(self, name, action):
        """Makes a user who may do this, and gives an access key of theirs."""
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.call("iam", "create_user", UserName=name)
        self.call("iam", "put_user_policy", UserName=name, PolicyName="all", PolicyDocument=policy)
        key = self.call("iam", "create_access_key", UserName=name)["AccessKey"]
        Canary.known(f"the access key of {name}", key["SecretAccessKey"])
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
