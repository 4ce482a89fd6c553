"""Helm: what a chart makes of values, and releases in a real API server."""

import json
import subprocess

import yaml
from support.parts import program, surroundings
from support.product import ROOT

CHART = ROOT / "deploy/helm/whimbrel"


class Failed(Exception):
    """Helm said no."""


class Helm:
    """The program, with caches of its own; `config` is the kubeconfig of the cluster that it installs into."""

    def __init__(self, folder, config=None):
        self.folder = folder
        self.config = config

    def run(self, *arguments, stdin=None):
        """Runs it; gives what it wrote to stdout."""
        places = {f"HELM_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        if self.config:
            places["KUBECONFIG"] = str(self.config)
        done = subprocess.run([program("HELM", "helm"), *map(str, arguments)], env=surroundings(self.folder, **places),
                              input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stdout + done.stderr)
        return done.stdout

    def lint(self, **values):
        """What it has against the chart with these values."""
        return self.run("lint", "--strict", CHART, "--values", "-", stdin=json.dumps(values))

    def render(self, release="whimbrel-operator", namespace="shop", version="1.33.0", chart=CHART, **values):
        """The objects that the chart is with these values."""
        text = self.run("template", release, chart, "--namespace", namespace, "--kube-version", version, "--values", "-",
                        stdin=json.dumps(values))
        return [document for document in yaml.safe_load_all(text) if document]

    def install(self, namespace, *arguments, release="whimbrel-operator", chart=CHART, **values):
        """Installs a release, or brings it to other values."""
        return self.run("upgrade", "--install", release, chart, "--namespace", namespace, "--values", "-", *arguments,
                        stdin=json.dumps(values))

    def uninstall(self, namespace, release="whimbrel-operator"):
        """Takes a release away."""
        return self.run("uninstall", release, "--namespace", namespace)
