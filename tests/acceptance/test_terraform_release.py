"""What a registry gets of the provider: archives that the real `terraform` installs, examples that it applies."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from support.canary import Canary
from support.product import ROOT, target_folder
from support.terraform import WHIMBREL, Terraform

EXAMPLES = ROOT / "deploy/terraform/examples"
NAME = "terraform-provider-whimbrel"
VERSION = "0.1.7-rc.1"


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


def release(binary, folder, version=VERSION):
    """Has the release of a binary made."""
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    # A program is built at most: its own dependencies are few.
    subprocess.run([cargo, "build", "--quiet", "--package", "xtask"], cwd=ROOT, check=True)
    return subprocess.run(
        [target_folder() / "debug/xtask", "provider", "release", version, "--binary", binary, "--into", folder],
        cwd=ROOT, env=os.environ | {"CARGO": cargo}, capture_output=True, text=True, check=False,
    )


def test_terraform_installs_a_release(binary, terraform, tmp_path, evidence):
    # Copies of the product are nothing that it says.
    evidence.set_apart(tmp_path / "mirror")
    evidence.set_apart(terraform.folder / ".terraform")
    folder = tmp_path / "mirror" / WHIMBREL
    made = release(binary, folder)
    assert made.returncode == 0, made.stderr
    archive = f"{NAME}_{VERSION}_linux_amd64.zip"
    names = {archive, f"{NAME}_{VERSION}_manifest.json", f"{NAME}_{VERSION}_SHA256SUMS"}
    assert {path.name for path in folder.iterdir()} == names
    assert set(zipfile.ZipFile(folder / archive).namelist()) == {f"{NAME}_v{VERSION}", "LICENSE"}
    manifest = json.loads((folder / f"{NAME}_{VERSION}_manifest.json").read_text())
    assert manifest == {"version": 1, "metadata": {"protocol_versions": ["6.0"]}}
    sums = dict(
        reversed(line.split("  ")) for line in (folder / f"{NAME}_{VERSION}_SHA256SUMS").read_text().splitlines()
    )
    assert sums == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names if "SHA256SUMS" not in name
    }
    terraform.settle(f'filesystem_mirror {{\npath = "{tmp_path / "mirror"}"\ninclude = ["*/*/*"]\n}}')
    terraform.write('output "key" { value = provider::whimbrel::parse_reference("secret://env/A#b").key }', provider="")
    settings = (terraform.folder / "main.tf").read_text()
    version = f'source = "{WHIMBREL}", version = "{VERSION}"'
    (terraform.folder / "main.tf").write_text(settings.replace(f'source = "{WHIMBREL}"', version))
    terraform.run("init", "-no-color")
    terraform.apply()
    assert terraform.outputs() == {"key": "b"}
    assert VERSION in (terraform.folder / ".terraform.lock.hcl").read_text()


def test_a_release_has_a_version(binary, tmp_path):
    refused = release(binary, tmp_path, "v1")
    assert refused.returncode != 0 and "`v1` is no version" in refused.stderr


def test_the_examples_of_the_pages_are_applied(terraform, project, cluster, postgres, tmp_path):
    reporting, password = f"{postgres.name}_reporting", Canary.hatch("a password of the examples", plain=True).value
    with cluster.connect(postgres.name) as connection:
        connection.execute(f"CREATE ROLE migrator LOGIN PASSWORD '{password}' SUPERUSER")
        connection.execute(f"CREATE DATABASE {reporting}")
    address = f"postgres://localhost/{{}}?host={cluster.folder}"
    project.environment("production", {"shop": address.format(postgres.name)})
    project.table("0001-people")
    project.commit()
    said = {
        "https://git.example.org/acme/shop.git": str(project.folder),
        "postgres://db.example.org/reporting": address.format(reporting),
        'source = "whimbrel/whimbrel"': f'source = "{WHIMBREL}"',
    }
    examples = sorted(EXAMPLES.rglob("*.tf"))
    kinds = {path.parent.name for path in examples}
    assert kinds == {
        "provider", "whimbrel_environment", "whimbrel_migration", "whimbrel_plan", "whimbrel_status", "parse_reference",
    }
    unseen = set(said)
    for path in examples:
        text = path.read_text()
        for literal, here in said.items():
            unseen -= {literal} if literal in text else set()
            text = text.replace(literal, here)
        (terraform.folder / f"{path.parent.name}.tf").write_text(text)
    assert unseen == set()
    for name in ("SHOP_PASSWORD", "REPORTING_PASSWORD"):
        terraform.variables[name] = password
    first = terraform.apply()
    # What the check says before anything is applied.
    assert "1 migrations are pending" in first.said
    assert postgres.tables() == {"people"}
    outputs = terraform.outputs()
    assert outputs["backend"] == "vault" and "CREATE TABLE people" in outputs["plan"]
    terraform.apply()
    assert terraform.actions() == {}
    kept = terraform.state()
    for kind in ("whimbrel_environment", "whimbrel_migration"):
        imported = (EXAMPLES / f"resources/{kind}/import.sh").read_text().splitlines()[-1]
        for literal, here in said.items():
            imported = imported.replace(literal, here)
        _, *words = imported.split()
        terraform.run("state", "rm", words[1])
        terraform.run(*words)
    assert terraform.state().keys() == kept.keys()
    assert terraform.state()["whimbrel_environment.shop"]["applied"] == 1
