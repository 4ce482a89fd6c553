"""Who owns which fields of an object, and how what somebody applies is merged into it.

A path is a tuple of elements as `managedFields` has them: `f:` a field, `k:` an item of a list that has keys, `v:` one of a set.
"""

import copy
import json

from support.fake_api_server.schema import child

LIST = "x-kubernetes-list-type"
KEYS = "x-kubernetes-list-map-keys"
METADATA = {"properties": {"finalizers": {LIST: "set"}, "ownerReferences": {LIST: "map", KEYS: ["uid"]}}}
# What nobody owns.
SYSTEM = {("f:apiVersion",), ("f:kind",)} | {("f:metadata", f"f:{name}") for name in (
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "generateName")}


def shape(schema):
    """A kind's schema, with what every object's metadata is."""
    schema = schema or {}
    return schema | {"properties": schema.get("properties", {}) | {"metadata": METADATA}}


def fields(value, schema, path=()):
    """Every field of a value, with what it says."""
    if path in SYSTEM:
        return {}
    found = {}
    if isinstance(value, dict) and value:
        for name, one in value.items():
            found |= fields(one, child(schema, name) or {}, (*path, f"f:{name}"))
    elif isinstance(value, list) and LIST in (schema or {}) and schema[LIST] != "atomic":
        for one in value:
            place = (*path, element(one, schema))
            found[place] = True
            if isinstance(one, dict):
                found |= fields(one, schema.get("items") or {}, place)
    else:
        found[path] = value
    return found


def element(item, schema):
    """The element of a path that an item of a list is."""
    if schema[LIST] == "set":
        return f"v:{json.dumps(item)}"
    return "k:" + json.dumps({name: item.get(name) for name in sorted(schema[KEYS])})


def merged(live, applied, schema):
    """A value with what is applied in it."""
    if isinstance(live, dict) and isinstance(applied, dict):
        made = dict(live)
        for name, one in applied.items():
            made[name] = merged(live.get(name), one, child(schema, name) or {})
        return made
    if isinstance(live, list) and isinstance(applied, list) and LIST in (schema or {}) and schema[LIST] != "atomic":
        made = {element(one, schema): one for one in live}
        for one in applied:
            place = element(one, schema)
            made[place] = merged(made.get(place), one, schema.get("items") or {})
        return list(made.values())
    return copy.deepcopy(applied)


def without(value, paths, schema):
    """A value without some of its fields; what has nothing in it any more goes, too."""
    here = {path[0] for path in paths if len(path) == 1}
    below = {}
    for path in paths:
        if len(path) > 1:
            below.setdefault(path[0], set()).add(path[1:])
    if isinstance(value, dict):
        made = {}
        for name, one in value.items():
            place = f"f:{name}"
            if place in here:
                continue
            if place in below and isinstance(one, (dict, list)):
                one = without(one, below[place], child(schema, name) or {})
                if not one:
                    continue
            made[name] = one
        return made
    made = []
    for one in value:
        place = element(one, schema)
        if place in here:
            continue
        made.append(without(one, below[place], schema.get("items") or {}) if place in below else one)
    return made


class Owners:
    """Who owns what: sets of paths, by manager, operation and subresource."""

    def __init__(self, sets=None, times=None):
        self.sets = dict(sets or {})
        self.times = dict(times or {})

    def copy(self):
        """Another one that says the same."""
        return Owners(self.sets, self.times)

    def _set(self, who, paths, now):
        if paths:
            if self.sets.get(who) != paths:
                self.times[who] = now
            self.sets[who] = paths
        else:
            self.sets.pop(who, None)

    def updated(self, who, before, after, schema, now):
        """Somebody wrote: what is another value is theirs, and nobody else's."""
        old, new = fields(before, schema), fields(after, schema)
        changed = {path for path, value in new.items() if path not in old or old[path] != value}
        gone = old.keys() - new.keys()
        if changed or gone:
            for other, paths in list(self.sets.items()):
                self._set(other, paths - gone - (set() if other == who else changed), now)
            self._set(who, self.sets.get(who, frozenset()) | changed, now)

    def applied(self, who, live, applied, schema, is_forced, now):
        """Somebody applies: gives what becomes of the object, and the conflicts that hinder it."""
        claimed, there = fields(applied, schema), fields(live, schema)
        conflicts = []
        for other, paths in list(self.sets.items()):
            taken = {path for path in paths & claimed.keys() if path in there and there[path] != claimed[path]}
            if other != who and taken:
                conflicts += [(other, path) for path in sorted(taken)]
                self._set(other, paths - taken, now)
        if conflicts and not is_forced:
            return None, conflicts
        dropped = self.sets.get(who, frozenset()) - claimed.keys()
        self._set(who, frozenset(claimed), now)
        others = frozenset().union(*(paths for other, paths in self.sets.items() if other != who))
        # What holds something that another one owns stays.
        gone = {path for path in dropped if not any(one[:len(path)] == path for one in others | claimed.keys())}
        return without(merged(live, applied, schema), gone, schema), []

    def render(self, api_version):
        """As `managedFields` says it."""
        told = []
        for (manager, operation, subresource), paths in self.sets.items():
            tree = {}
            for path in sorted(paths):
                at = tree
                for one in path:
                    at = at.setdefault(one, {})
            one = {"manager": manager, "operation": operation, "apiVersion": api_version, "fieldsType": "FieldsV1",
                   "fieldsV1": tree, "time": self.times[(manager, operation, subresource)]}
            told.append(one | ({"subresource": subresource} if subresource else {}))
        return told


def readable(path):
    """A path as messages say it."""
    told = ""
    for one in path:
        if one.startswith("f:"):
            told += f".{one[2:]}"
        else:
            keys = json.loads(one[2:])
            told += "[" + (",".join(f'{k}="{v}"' for k, v in keys.items()) if isinstance(keys, dict) else f"={keys!r}") + "]"
    return told
