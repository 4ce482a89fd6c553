"""The real `terraform` and the real `tofu`, and providers that they start or find running."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from support.canary import Canary
from support.evidence import SUITE
from support.parts import program, there
from support.product import ROOT, Ended, target_folder

# What configurations call the provider of the tests.
IDLE = "terraform.example/whimbrel/idle"
# The product as a provider.
WHIMBREL = "registry.terraform.io/whimbrel/whimbrel"
# What drives providers, and the variable by which a tester names their own.
DRIVERS = {"terraform": "TERRAFORM_BIN", "tofu": "TOFU"}


def drivers():
    """What drives providers here: Terraform where the machine has it, and OpenTofu where `cargo xtask tools` has put it."""
    return [name for name, variable in DRIVERS.items() if there(variable, name)] or ["tofu"]


def left_out():
    """What drives providers elsewhere and isn't here, so that nothing is run with it."""
    return sorted(set(DRIVERS) - set(drivers()))


def driver(name):
    """The program of one of them."""
    return program(DRIVERS[name], name)


def find_or_build():
    """The provider that does next to nothing: IDLE_PROVIDER_BIN, else a plain build of this clone."""
    if given := os.environ.get("IDLE_PROVIDER_BIN"):
        return Path(given)
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    subprocess.run([cargo, "build", "--quiet", "--package", "whimbrel-idle-provider"], cwd=ROOT, check=True)
    return target_folder() / "debug/terraform-provider-idle"


@dataclass
class Run(Ended):
    """A finished run of terraform."""

    def __str__(self):
        return super().__str__().replace("$ whimbrel", "$ terraform", 1)


class Terraform:
    """Runs terraform, or what does as it does, in a folder, with one provider."""

    def __init__(self, folder, provider, address=IDLE, by=None, evidence=SUITE):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.evidence = evidence
        self.program = driver(by or drivers()[0])
        self.provider = provider
        self.address = address
        self.things = folder / "things"
        self.things.mkdir(exist_ok=True)
        # A test's own folder may be too long for the path of a socket.
        self.temporary = Path(tempfile.mkdtemp(prefix="t", dir=SUITE.temporary))
        self.variables = {}
        self._settings = folder / "settings.tfrc"
        # Of the provider alone: terraform takes it from where it was built, without `init`.
        overridden = folder / "provider"
        overridden.mkdir(exist_ok=True)
        (overridden / f"terraform-provider-{self.name}").symlink_to(provider)
        self.settle(f'dev_overrides {{\n"{address}" = "{overridden}"\n}}\ndirect {{}}')

    @property
    def name(self):
        """The provider's own name."""
        return self.address.rsplit("/", 1)[-1]

    def settle(self, installation):
        """Where terraform takes providers from."""
        self._settings.write_text(f"provider_installation {{\n{installation}\n}}\n")

    def mirror(self, version="0.1.0"):
        """Has terraform install the provider from a folder, as people do who have no registry."""
        folder = self.folder / "mirror"
        place = folder / self.address / version / "linux_amd64"
        place.mkdir(parents=True)
        shutil.copy(self.provider, place / f"terraform-provider-{self.name}_v{version}")
        self.settle(f'filesystem_mirror {{\npath = "{folder}"\ninclude = ["*/*/*"]\n}}')

    def write(self, text, provider=None):
        """Writes the whole configuration; the provider keeps things in the folder `things` unless said otherwise."""
        configured = f'folder = "{self.things}"' if provider is None else provider
        (self.folder / "main.tf").write_text(
            f'terraform {{\n  required_providers {{\n    {self.name} = {{ source = "{self.address}" }}\n  }}\n}}\n'
            f'provider "{self.name}" {{\n{configured}\n}}\n{text}\n'
        )

    def environment(self, **changes):
        """What it inherits."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "PLUGIN_", "WHIMBREL_"))}
        Canary.of_variables(self.variables | changes)
        return kept | {
            "TF_CLI_CONFIG_FILE": str(self._settings),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "HOME": str(SUITE.home),
            "TMPDIR": str(self.temporary),
        } | self.variables | {k: str(v) for k, v in changes.items()}

    def start(self, *arguments, **variables):
        """Starts it, in a process group of its own."""
        return subprocess.Popen(
            [self.program, *map(str, arguments)], cwd=self.folder, env=self.environment(**variables),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )

    def run(self, *arguments, code=0, timeout=120, **variables):
        """Runs it to its end; `code` is the exit code that it must have, None for any."""
        started = self.start(*arguments, **variables)
        try:
            out, err = started.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            raise
        return self._ended(arguments, started, out, err, code)

    def end(self, started, arguments=(), code=0, timeout=120):
        """Waits for what was started."""
        out, err = started.communicate(timeout=timeout)
        return self._ended(arguments, started, out, err, code)

    def _ended(self, arguments, started, out, err, code):
        self.evidence.keep(["terraform", *arguments], out, err)
        ended = Run(list(arguments), started.returncode, out, err)
        assert code is None or ended.code == code, f"expected exit code {code}\n{ended}"
        return ended

    def apply(self, *arguments, **options):
        """Applies the configuration."""
        return self.run("apply", "-auto-approve", "-no-color", *arguments, **options)

    def destroy(self, *arguments, **options):
        """Destroys what there is."""
        return self.run("destroy", "-auto-approve", "-no-color", *arguments, **options)

    def plan(self, *arguments, **options):
        """What it would do, as JSON."""
        self.run("plan", "-no-color", f"-out={self.folder / 'plan'}", *arguments, **options)
        return json.loads(self.run("show", "-json", self.folder / "plan").out)

    def actions(self, *arguments, **options):
        """What would be done to each resource that isn't left alone."""
        changes = self.plan(*arguments, **options).get("resource_changes", [])
        return {
            change["address"]: change["change"]["actions"] for change in changes
            if change["change"]["actions"] != ["no-op"]
        }

    def state(self):
        """The attributes of each resource, by address."""
        shown = json.loads(self.run("show", "-json").out)
        resources = shown.get("values", {}).get("root_module", {}).get("resources", [])
        return {resource["address"]: resource["values"] for resource in resources}

    def outputs(self):
        """What is given out, by name."""
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json").out).items()}

    def kept(self, name):
        """What the provider keeps of a thing."""
        return json.loads((self.things / f"{name}.json").read_text())
