"""The schemas of Kubernetes itself, of every version that the manifests are for, and kinds of other operators."""

import os
from pathlib import Path

import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions, major_minor

# The first in which everything that the manifests use is there without being asked for.
OLDEST = (1, 30)
# Kinds whose schema isn't Kubernetes' own: a real API server checks them.
FOREIGN = ("whimbrel.dev/", "monitoring.coreos.com/", "source.toolkit.fluxcd.io/", "kustomize.toolkit.fluxcd.io/")


def versions():
    """Every version from the oldest to the newest that is known."""
    found = {major_minor(version) for version in all_versions()}
    return sorted((version for version in found if _numbers(version) >= OLDEST), key=_numbers)


def _numbers(version):
    return tuple(map(int, version.split(".")))


def hold(documents):
    """Fails where one isn't what the schemas of a version say, down to unknown fields."""
    checked = 0
    for document in documents:
        if document["apiVersion"].startswith(FOREIGN):
            continue
        for version in versions():
            kubernetes_validate.validate(document, version, strict=True)
            checked += 1
    assert checked


def foreign(name):
    """The CustomResourceDefinition of another operator that `cargo xtask tools` fetched."""
    tools = Path(os.environ.get("WHIMBREL_CACHE", Path.home() / ".cache/whimbrel")) / "tools/payloads"
    return yaml.safe_load((tools / f"{name}.yaml").read_text())
