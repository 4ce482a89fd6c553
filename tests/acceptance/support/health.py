"""How tools that bring objects to a cluster read their conditions: Argo CD by Lua, Flux by CEL."""

import cel
import lupa.lua51
import yaml
from support.product import ROOT

# What Argo CD leaves to such a text, which may not ask for more: https://argo-cd.readthedocs.io/en/stable/operator-manual/health/
LIBRARIES = ("table", "ipairs", "pairs", "next", "type", "tostring", "tonumber", "select", "unpack", "error", "pcall")


def argo_texts():
    """The shipped texts, by kind."""
    data = yaml.safe_load((ROOT / "deploy/argocd/health.yaml").read_text())["data"]
    prefix = "resource.customizations.health.whimbrel.dev_"
    return {name.removeprefix(prefix): text for name, text in data.items()}


def argo(found):
    """What Argo CD shows of an object: a status and a message."""
    runtime = lupa.lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    names = runtime.globals()
    run = runtime.compile(argo_texts()[found["kind"]])
    names["obj"] = runtime.table_from(found, recursive=True)
    for name in list(names.keys()):
        if name not in (*LIBRARIES, "obj"):
            names[name] = None
    health = run()
    return health["status"], health["message"]


def flux_documents():
    """The shipped example."""
    return list(yaml.safe_load_all((ROOT / "deploy/flux/shop.yaml").read_text()))


def flux(found):
    """What Flux says of an object, by the expressions of the example, in the order that Flux has:
    https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions"""
    [expressions] = [check for document in flux_documents() for check in document["spec"].get("healthCheckExprs", [])
                     if check["kind"] == found["kind"]]
    observed = found.get("status", {}).get("observedGeneration")
    if observed is not None and observed != found["metadata"]["generation"]:
        return "InProgress"
    if "status" not in found:
        # An expression about what isn't there is an error, after which it is asked again.
        return "InProgress"
    for name, status in (("failed", "Failed"), ("current", "Current")):
        if cel.evaluate(expressions[name], found):
            return status
    return "InProgress"
