"""Which kinds there are, and how they are found out."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Resource:
    """A kind, and where it is."""

    group: str
    version: str
    plural: str
    kind: str
    is_namespaced: bool = True
    # Whether its status is written by itself, and its generation counted.
    has_status: bool = False
    # The schema of a kind that somebody defined.
    schema: dict | None = field(default=None, compare=False)
    short_names: tuple = ()
    categories: tuple = ()

    @property
    def key(self):
        """What tells it from others."""
        return self.group, self.plural

    @property
    def api_version(self):
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self):
        """As messages say it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False)
BUILT_IN = (
    DEFINITIONS, NAMESPACES,
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "pods", "Pod", has_status=True),
    Resource("batch", "v1", "jobs", "Job", has_status=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    Resource("events.k8s.io", "v1", "events", "Event"),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
)
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def defined(definition):
    """The kind that a definition defines."""
    spec = definition["spec"]
    [version] = [one for one in spec["versions"] if one["served"]]
    names = spec["names"]
    return Resource(
        spec["group"], version["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced",
        "status" in version.get("subresources", {}), version["schema"]["openAPIV3Schema"],
        tuple(names.get("shortNames", ())), tuple(names.get("categories", ())))


class Kinds:
    """Those that there are now."""

    def __init__(self):
        self._all = {one.key: one for one in BUILT_IN}

    def add(self, resource):
        """There is one more, or it is another one."""
        self._all[resource.key] = resource

    def remove(self, key):
        """There is one less."""
        del self._all[key]

    def find(self, group, version, plural):
        """The kind at a place, or none."""
        found = self._all.get((group, plural))
        return found if found and found.version == version else None

    def discovery(self, parts):
        """What is said of groups and kinds at a place, or none."""
        groups = {}
        for one in self._all.values():
            groups.setdefault(one.group, one.version)
        match parts:
            case ["version"]:
                return {"major": "1", "minor": "0", "gitVersion": "v1.0.0-fake"}
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                return {"kind": "APIGroupList", "apiVersion": "v1",
                        "groups": [_group(name, version) for name, version in groups.items() if name]}
            case ["apis", group] if group in groups:
                return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, groups[group])
            case ["api", version] if groups[""] == version:
                return self._resources("", version)
            case ["apis", group, version] if groups.get(group) == version:
                return self._resources(group, version)
        return None

    def _resources(self, group, version):
        found = []
        for one in self._all.values():
            if one.group == group:
                place = {"singularName": one.kind.lower(), "namespaced": one.is_namespaced, "kind": one.kind}
                found.append(place | {"name": one.plural, "verbs": VERBS, "shortNames": list(one.short_names),
                                      "categories": list(one.categories)})
                if one.has_status:
                    found.append(place | {"name": f"{one.plural}/status", "verbs": ["get", "patch", "update"]})
        named = f"{group}/{version}" if group else version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": found}


def _group(name, version):
    one = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [one], "preferredVersion": one}
