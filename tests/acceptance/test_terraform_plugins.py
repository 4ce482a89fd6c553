"""Resources of a third party's plugins, in the same provider as the product's own."""

import hashlib
import json

import pytest
from support.product import ROOT, guest_file
from support.terraform import WHIMBREL, Terraform

ADDRESS = "whimbrel_lookup_table.currencies"
TABLE = "ref_currencies"


@pytest.fixture
def terraform(binary, tmp_path):
    """Terraform with the product as its provider."""
    return Terraform(tmp_path / "terraform", binary, WHIMBREL)


def load(terraform, *names, **digests):
    """Has the provider load plugins besides its own: what `cargo xtask plugins` made of these names."""
    components = {name: guest_file(name).read_bytes() for name in names}
    for name, component in components.items():
        (terraform.folder / f"{name}.wasm").write_bytes(component)
    plugins = {
        name.replace("_", "-"): {
            "path": f"{name}.wasm",
            "digest": digests.get(name, f"sha256:{hashlib.sha256(component).hexdigest()}"),
        }
        for name, component in components.items()
    }
    name_them(terraform, plugins)


def name_them(terraform, plugins):
    """Writes the document of the provider."""
    document = terraform.folder / "provider.json"
    document.write_text(json.dumps({
        "apiVersion": "whimbrel.dev/v1alpha1", "kind": "Provider", "metadata": {"name": "shop"},
        "spec": {"plugins": plugins},
    }, indent=2))
    terraform.variables["WHIMBREL_PROVIDER_PLUGINS"] = document


def refused(terraform):
    """What a plan says that can't be made."""
    return " ".join(terraform.run("plan", "-no-color", code=1).err.replace("│", " ").split())


def reached(target):
    """What a resource says of its database."""
    said = {"environment": "dev", "url": f"sqlite://{target.file}" if target.dialect == "sqlite" else target.url}
    for part, reference in getattr(target.url, "references", {}).items():
        key = f"#{reference['key']}" if "key" in reference else ""
        said[part] = f"secret://{reference['secret']}/{reference['path']}{key}"
    return "".join(f'  {name} = "{value}"\n' for name, value in said.items())


def table(target, **rows):
    """The configuration of one table."""
    written = "".join(f"    {json.dumps(key)} = {json.dumps(value)}\n" for key, value in rows.items())
    return (
        f'resource "whimbrel_lookup_table" "currencies" {{\n{reached(target)}  name = "currencies"\n'
        f"  rows = {{\n{written}  }}\n}}\n"
    )


def rows(target):
    """What is in the table."""
    return dict(target.rows(f"SELECT key, value FROM {TABLE}"))


def recorded(target):
    """The migrations that made it, in order."""
    return [name for (name,) in target.rows(f"SELECT name FROM {target.history}migration ORDER BY sequence")]


PREFIX = 'lookup_table_prefix = "ref_"'


def test_a_table_s_life(terraform, target):
    load(terraform, "lookup_table")
    terraform.write(table(target, EUR="Euro", **{"$": "it's a $${dollar}"}), provider=PREFIX)
    assert terraform.actions() == {ADDRESS: ["create"]}
    assert target.tables() == set()
    terraform.apply()
    assert rows(target) == {"EUR": "Euro", "$": "it's a ${dollar}"}
    kept = terraform.state()[ADDRESS]
    assert (kept["id"], kept["table"]) == ("dev,main,currencies", TABLE)
    assert kept["revision"] == 1
    assert recorded(target) == [f"{TABLE}-0001"]
    assert terraform.actions() == {}
    terraform.write(table(target, EUR="euro", CHF="franc"), provider=PREFIX)
    assert terraform.actions() == {ADDRESS: ["update"]}
    terraform.apply()
    assert rows(target) == {"EUR": "euro", "CHF": "franc"}
    assert terraform.state()[ADDRESS]["revision"] == 2
    assert recorded(target) == [f"{TABLE}-0001", f"{TABLE}-0002"]
    assert terraform.actions() == {}
    terraform.destroy()
    assert target.tables() == set()


def test_what_was_taken_back_elsewhere_is_made_again(terraform, sqlite):
    load(terraform, "lookup_table")
    terraform.write(table(sqlite, EUR="Euro"), provider=PREFIX)
    terraform.apply()
    sqlite.execute(f"DELETE FROM whimbrel_migration; DROP TABLE {TABLE};")
    assert terraform.actions() == {ADDRESS: ["create"]}
    terraform.apply()
    assert rows(sqlite) == {"EUR": "Euro"}


def of_version_0(terraform, target, **changes):
    """Puts the state there that the plugin wrote when its schema had version 0, with changes of what it says of the table."""
    kept = json.loads((ROOT / "examples/plugins/lookup-table/tests/version-0.tfstate").read_text())
    (instance,) = kept["resources"][0]["instances"]
    instance["attributes"]["url"] = f"sqlite://{target.file}"
    for name, change in changes.items():
        instance[name] = change(instance[name])
    (terraform.folder / "terraform.tfstate").write_text(json.dumps(kept))


def test_a_state_of_an_older_version(terraform, sqlite):
    load(terraform, "lookup_table")
    for euro in ("Euro", "euro"):
        terraform.write(table(sqlite, EUR=euro, CHF="Swiss franc"), provider=PREFIX)
        terraform.apply()
    of_version_0(terraform, sqlite)
    # What it had is what there is.
    assert terraform.actions() == {}
    terraform.write(table(sqlite, EUR="EUR", CHF="Swiss franc"), provider=PREFIX)
    before = next(change["change"]["before"] for change in terraform.plan()["resource_changes"])
    assert before["revision"] == 2 and "migrations" not in before
    terraform.apply()
    (instance,) = json.loads((terraform.folder / "terraform.tfstate").read_text())["resources"][0]["instances"]
    assert instance["schema_version"] == 1 and instance["attributes"]["revision"] == 3
    assert recorded(sqlite) == [f"{TABLE}-000{number}" for number in (1, 2, 3)]
    terraform.destroy()
    assert sqlite.tables() == set()


def test_a_state_that_no_version_can_read(terraform, sqlite):
    load(terraform, "lookup_table")
    terraform.write(table(sqlite, EUR="Euro"), provider=PREFIX)
    of_version_0(terraform, sqlite, attributes=lambda said: {**said, "migrations": None})
    said = refused(terraform)
    assert "a state of version 0 lists its migrations, and this one doesn't" in said, said
    assert "restore the state from a backup" in said, said
    of_version_0(terraform, sqlite, schema_version=lambda _: 2)
    said = refused(terraform)
    assert "newer provider version" in said and ADDRESS in said, said
    assert sqlite.tables() == set()


def test_a_component_has_the_engine_and_words_and_nothing_else(whimbrel, project):
    project.commit()
    for component in ("terraform", guest_file("lookup_table")):
        seen = whimbrel.json("plugin", "inspect", component)
        # Types do nothing.
        imports = {name.partition("@")[0] for name in seen["imports"]} - {"whimbrel:types/types"}
        # Of what it may have, it has what it uses.
        assert {"whimbrel:resources/engine"} <= imports
        assert imports <= {"whimbrel:resources/engine", "whimbrel:observe/log", "whimbrel:observe/call"}
        assert (seen["worlds"], seen["needs"]) == (["resource-provider"], [])


def test_both_kinds_in_one_apply(terraform, sqlite):
    load(terraform, "lookup_table")
    migration = (
        f'resource "whimbrel_migration" "orders" {{\n{reached(sqlite)}  name = "0001-orders"\n'
        f'  up = "CREATE TABLE orders (id bigint, currency text REFERENCES ${{{ADDRESS}.table}} (key))"\n}}\n'
    )
    terraform.write(table(sqlite, EUR="Euro") + migration, provider=PREFIX)
    terraform.apply()
    assert sqlite.tables() == {"orders", TABLE}
    assert terraform.actions() == {}


def hostile(target, request, when="plan"):
    """A resource that asks the engine where it must not."""
    escaped = json.dumps(json.dumps(request)).replace("${", "$${")
    return f'resource "whimbrel_hostile" "one" {{\n  request = {escaped}\n  when = "{when}"\n}}\n'


def request(target):
    """The migration that it asks for."""
    return {
        "environment": "dev", "databases": {"main": {"url": f"sqlite://{target.file}"}},
        "migration": {"name": "0001-people", "database": "main", "up": "CREATE TABLE people (id bigint)"},
    }


def test_what_only_looks_changes_nothing(terraform, sqlite):
    load(terraform, "hostile_provider")
    asked = request(sqlite)
    terraform.write(hostile(sqlite, asked), provider="")
    said = refused(terraform)
    assert "plan of hostile-provider only looks" in said and "engine's `apply` changes" in said, said
    data = f'data "whimbrel_hostile" "one" {{\n  request = {json.dumps(json.dumps(asked))}\n}}\n'
    terraform.write(data, provider="")
    said = refused(terraform)
    assert "read-data of hostile-provider only looks" in said and "engine's `apply` changes" in said, said
    assert sqlite.tables() == set()
    # What looks at a resource may not, either.
    migration = (
        f'resource "whimbrel_migration" "people" {{\n{reached(sqlite)}  name = "0001-people"\n'
        '  up = "CREATE TABLE people (id bigint)"\n  down = "DROP TABLE people"\n}\n'
    )
    terraform.write(migration + hostile(sqlite, asked, "read"), provider="")
    terraform.apply()
    said = refused(terraform)
    assert "read of hostile-provider only looks" in said and "engine's `revert` changes" in said, said
    assert sqlite.tables() == {"people"}


def test_a_plugin_sees_its_own_configuration_only(terraform, sqlite):
    load(terraform, "hostile_provider", "lookup_table")
    data = 'data "whimbrel_hostile" "one" {\n  request = ""\n}\noutput "seen" { value = data.whimbrel_hostile.one.seen }\n'
    block = (
        f'hostile = "its own"\n{PREFIX}\n'
        'database {\n  environment = "dev"\n  name = "main"\n  url = "sqlite:x.db"\n  password = "hunter2"\n}'
    )
    terraform.write(data, provider=block)
    terraform.apply()
    assert json.loads(terraform.outputs()["seen"]) == {"hostile": "its own"}


def test_what_can_not_be_loaded_says_why(terraform, sqlite):
    terraform.write(table(sqlite, EUR="Euro"), provider="")
    load(terraform, "lookup_table", lookup_table="sha256:" + "0" * 64)
    said = refused(terraform)
    assert "provider.json:9:" in said and "is pinned" in said and "sha256:0000" in said, said
    load(terraform, "strongbox")
    said = refused(terraform)
    assert "`strongbox` needs http, clock" in said and "`resource-provider` can be granted nothing" in said, said
    load(terraform, "hostile")
    said = refused(terraform)
    assert "plugin hostile" in said and "resource-provider" in said, said
    load(terraform, "lookup_table")
    (terraform.folder / "lookup_table.wasm").unlink()
    assert "lookup_table.wasm" in (said := refused(terraform)) and "No such file" in said, said
    load(terraform, "lookup_table")
    document = json.loads((terraform.folder / "provider.json").read_text())["spec"]["plugins"]
    name_them(terraform, {"one": document["lookup-table"], "other": document["lookup-table"]})
    said = refused(terraform)
    assert "`one` and `other` both have `whimbrel_lookup_table`" in said, said
    name_them(terraform, {"terraform": document["lookup-table"]})
    assert "the name of a built-in plugin" in (said := refused(terraform)), said
    terraform.variables["WHIMBREL_PROVIDER_PLUGINS"] = terraform.folder / "nowhere.json"
    assert "nowhere.json can't be read" in (said := refused(terraform)), said
