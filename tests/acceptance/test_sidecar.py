"""The example of a sidecar: an app that begins when its schema is there."""

import json
import shutil
import subprocess
import sys
import urllib.request

from support.evidence import SUITE
from support.product import ROOT, Whimbrel, environment
from support.server import Server


def test_the_app_begins_when_its_schema_is_there(binary, tmp_path):
    example = tmp_path / "sidecar"
    shutil.copytree(ROOT / "examples/sidecar", example)
    path = tmp_path / "guestbook.sock"
    app = subprocess.Popen(
        [sys.executable, example / "app.py"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(WHIMBREL_SOCKET=path, GUESTBOOK_DATABASE=example / "project/guestbook.db"))
    try:
        assert app.stderr.readline() == "waiting for 0001-guests\n"
        server = Server(Whimbrel(binary, example / "project"), "--environment", "dev", listen=f"unix:{path}")
        port = int(app.stdout.readline().removeprefix("serving on "))
        guests = f"http://127.0.0.1:{port}/guests"
        urllib.request.urlopen(urllib.request.Request(f"{guests}/ada", method="PUT"), timeout=30)
        assert json.load(urllib.request.urlopen(guests, timeout=30)) == ["ada"]
        # A push that can't be applied takes nobody down.
        wrong = example / "project/migrations/0002-wrong.yaml"
        wrong.write_text(
            (example / "project/migrations/0001-guests.yaml").read_text().replace("0001-guests", "0002-wrong"))
        server.ring()
        server.phase("failed")
        server.get("/readyz/dev?migration=0001-guests")
        assert json.load(urllib.request.urlopen(guests, timeout=30)) == ["ada"]
        server.end()
    finally:
        app.kill()
        SUITE.keep(["app.py"], *app.communicate())
