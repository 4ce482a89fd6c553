"""The rules of writes."""

import base64
import copy
import secrets
import string
import uuid

from support.fake_api_server import kinds
from support.fake_api_server.ownership import Owners, readable, shape
from support.fake_api_server.patches import merge, operate
from support.fake_api_server.refusals import MODIFIED, Refusal, conflict, invalid, not_found
from support.fake_api_server.schema import complete, prune, unknown_fields, wrong

# What stays as it was when the object was made.
FIXED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "name", "namespace",
         "generateName")


class Write:
    """One request that writes: of which kind, where, by whom and how."""

    def __init__(self, resource, namespace, name, part, query, agent):
        self.resource, self.namespace, self.name, self.part = resource, namespace, name, part
        self.manager = query.get("fieldManager") or agent.split("/")[0] or "unknown"
        self.is_named = "fieldManager" in query
        self.is_dry = "dryRun" in query
        self.is_forced = query.get("force") == "true"
        # Of what is merged, it is another refusal.
        self.is_patch = False
        self.is_strict = query.get("fieldValidation") == "Strict"

    @property
    def schema(self):
        """As owners of fields see it."""
        return shape(self.resource.schema)


class Writes:
    """What becomes of them."""

    def __init__(self, store, known):
        self._store, self._kinds = store, known

    def _found(self, write):
        found = self._store.get(write.resource, write.namespace, write.name)
        if found is None:
            raise not_found(write.resource, write.name)
        return found

    def create(self, write, document):
        """Makes an object."""
        document = copy.deepcopy(document)
        document["metadata"].pop("resourceVersion", None)
        owners = Owners()
        before = self._named(write, document)
        owners.updated((write.manager, "Update", ""), {}, document, write.schema, self._store.now())
        return self._create(write, before, owners)

    def _named(self, write, document):
        """The object with its name, where there may be one of it."""
        resource, meta = write.resource, document.setdefault("metadata", {})
        if resource.schema and self._definition(resource)["metadata"].get("deletionTimestamp"):
            raise Refusal(405, "create not allowed while custom resource definition is terminating")
        if not meta.get("name"):
            if not meta.get("generateName"):
                raise invalid(resource, "", [("metadata.name", "Required value: name or generateName is required")])
            letters = string.ascii_lowercase + string.digits
            meta["name"] = meta["generateName"] + "".join(secrets.choice(letters) for _ in range(5))
        if resource.is_namespaced:
            meta["namespace"] = write.namespace
            place = self._store.get(kinds.NAMESPACES, None, write.namespace)
            if place is None:
                raise not_found(kinds.NAMESPACES, write.namespace)
            if place["metadata"].get("deletionTimestamp"):
                raise Refusal(403, f'{resource.qualified} "{meta["name"]}" is forbidden: unable to create new content in namespace '
                                   f"{write.namespace} because it is being terminated")
        if self._store.get(resource, meta.get("namespace"), meta["name"]):
            raise Refusal(409, f'{resource.qualified} "{meta["name"]}" already exists', "AlreadyExists")
        return document

    def _create(self, write, document, owners):
        resource, meta = write.resource, document["metadata"]
        document = document | {"apiVersion": resource.api_version, "kind": resource.kind}
        if resource.has_status:
            document.pop("status", None)
        given = {name: meta[name] for name in ("name", "namespace", "generateName", "labels", "annotations", "finalizers",
                                               "ownerReferences") if meta.get(name)}
        document["metadata"] = given | {"uid": str(uuid.uuid4()), "creationTimestamp": self._store.now()}
        if resource.schema or resource == kinds.DEFINITIONS:
            document["metadata"]["generation"] = 1
        document = self._checked(write, document)
        if resource == kinds.NAMESPACES:
            document |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        if resource == kinds.DEFINITIONS:
            document["status"] = {"conditions": [{"type": "Established", "status": "True"}],
                                  "acceptedNames": document["spec"]["names"]}
        if write.is_dry:
            return document
        made = self._store.put(resource, document, owners)
        self._define(resource, made)
        return made

    def _checked(self, write, document):
        """What its kind makes of an object."""
        resource = write.resource
        if resource.plural == "secrets" and "stringData" in document:
            encoded = {name: base64.b64encode(value.encode()).decode() for name, value in document.pop("stringData").items()}
            document["data"] = document.get("data", {}) | encoded
        if resource.schema:
            unknown = []
            document = prune(document, resource.schema, unknown)
            if unknown and write.is_strict:
                fields = ", ".join(f'unknown field "{one}"' for one in unknown)
                raise Refusal(422 if write.is_patch else 400, f"strict decoding error: {fields}")
            document = complete(document, resource.schema)
            if causes := wrong(document, resource.schema):
                raise invalid(resource, document["metadata"]["name"], causes)
        return document

    def replace(self, write, document):
        """Another object in place of the one that there is; of what isn't there, a Lease is made, and nothing else."""
        resource, before = write.resource, self._store.get(write.resource, write.namespace, write.name)
        meta = document.get("metadata", {})
        known = before["metadata"]["uid"] if before else ""
        if meta.get("uid", known) != known:
            raise conflict(resource, write.name,
                           f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {known}")
        if before is None and resource.plural != "leases":
            raise not_found(resource, write.name)
        if before is None:
            return self.create(write, document)
        if not meta.get("resourceVersion"):
            raise invalid(resource, write.name,
                          [("metadata.resourceVersion", "Invalid value: 0x0: must be specified for an update")])
        return self._update(write, before, copy.deepcopy(document), self._store.owners(before))

    def patch(self, write, kind, document):
        """A change of an object."""
        if kind == "application/apply-patch+yaml":
            return self._apply(write, document)
        before, write.is_patch = self._found(write), True
        if kind == "application/merge-patch+json":
            after = merge(copy.deepcopy(before), document)
            # A version that isn't said isn't asked for.
            if "resourceVersion" not in document.get("metadata", {}):
                after["metadata"].pop("resourceVersion", None)
        elif kind == "application/json-patch+json":
            after = operate(before, document)
        else:
            raise Refusal(415, f"the body of the request was in an unknown format - accepted media types include: "
                               f"application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml ({kind})")
        return self._update(write, before, after, self._store.owners(before))

    def _apply(self, write, document):
        if not write.is_named:
            raise Refusal(400, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch')
        document = copy.deepcopy(document)
        meta = document.setdefault("metadata", {})
        if meta.get("managedFields"):
            raise Refusal(400, "metadata.managedFields must be nil")
        resource, who = write.resource, (write.manager, "Apply", write.part)
        if resource.schema and (unknown := unknown_fields(document, resource.schema)):
            raise Refusal(500, f"failed to create typed patch object ({write.namespace}/{write.name}; {resource.api_version}, Kind="
                               f"{resource.kind}): .{unknown[0]}: field not declared in schema", "InternalError")
        before = self._store.get(resource, write.namespace, write.name)
        if before is None:
            if write.part:
                raise not_found(resource, write.name)
            if meta.get("uid"):
                raise conflict(resource, write.name,
                               f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found")
            owners = Owners()
            document = self._named(write, document | {"metadata": meta | {"name": write.name}})
            if resource.has_status:
                document.pop("status", None)
            if resource.plural == "secrets":
                document = self._checked(write, document)
            owners.applied(who, {}, document, write.schema, True, self._store.now())
            return self._create(write, document, owners)
        self._held(write, before, meta)
        kept = ("status",) if write.part else [name for name in document if name != "status" or not resource.has_status]
        claimed = {name: document[name] for name in kept if name in document}
        if resource.plural == "secrets":
            claimed = self._checked(write, claimed)
        owners = self._store.owners(before)
        after, conflicts = owners.applied(who, before, claimed, write.schema, write.is_forced, self._store.now())
        if after is None:
            told = "; ".join(f'conflict with "{other[0]}" using {resource.api_version}: {readable(path)}'
                             for other, path in conflicts)
            number = f"{len(conflicts)} conflict{'s' if len(conflicts) > 1 else ''}"
            raise Refusal(409, f"Apply failed with {number}: {told}", causes=[
                {"reason": "FieldManagerConflict", "message": f'conflict with "{other[0]}"', "field": readable(path)}
                for other, path in conflicts])
        return self._commit(write, before, after, owners)

    def _held(self, write, before, meta):
        """Whether it is the object that whoever writes has seen. Nobody asks that who writes only a status: of its metadata, the
        version alone counts."""
        resource, known, name = write.resource, before["metadata"], before["metadata"]["name"]
        if not write.part and meta.get("uid", known["uid"]) != known["uid"]:
            raise invalid(resource, name, [("metadata.uid", f'Invalid value: "{meta["uid"]}": field is immutable')])
        if (meta.get("resourceVersion") or known["resourceVersion"]) != known["resourceVersion"]:
            raise conflict(resource, name, MODIFIED)

    def _update(self, write, before, after, owners):
        self._held(write, before, after.setdefault("metadata", {}))
        if write.part:
            after = before | {"status": after["status"]} if "status" in after else before
        elif write.resource.has_status:
            after = {name: one for name, one in after.items() if name != "status"}
            after |= {"status": before["status"]} if "status" in before else {}
        after = self._checked(write, after)
        owners.updated((write.manager, "Update", write.part), before, after, write.schema, self._store.now())
        return self._commit(write, before, after, owners)

    def _commit(self, write, before, after, owners):
        """The end of every write to an object that there is."""
        resource, known = write.resource, before["metadata"]
        meta = {name: one for name, one in after["metadata"].items() if name not in FIXED and one not in (None, [], {})}
        meta |= {name: known[name] for name in FIXED if name in known}
        meta |= {"resourceVersion": known["resourceVersion"]}
        after = self._checked(write, after | {"metadata": meta, "apiVersion": resource.api_version, "kind": resource.kind})
        meta = after["metadata"]
        if "deletionTimestamp" in known and (more := set(meta.get("finalizers", [])) - set(known.get("finalizers", []))):
            why = f"Forbidden: no new finalizers can be added if the object is being deleted, found new {more}"
            raise invalid(resource, write.name, [("metadata.finalizers", why)])
        if "generation" in known and _asked(after) != _asked(before):
            meta["generation"] += 1
        owned = owners.render(resource.api_version)
        if write.is_dry or (_told(after) == _told(before) and owned == known.get("managedFields", [])):
            return after | {"metadata": meta | {"managedFields": owned}}
        if "deletionTimestamp" in known and not meta.get("finalizers") and resource != kinds.NAMESPACES:
            return self._remove(resource, after)
        made = self._store.put(resource, after, owners)
        self._define(resource, made)
        return made

    def delete(self, write, options):
        """Deletes an object, or has it wait for its finalizers; gives it while it waits."""
        resource, before = write.resource, self._found(write)
        known, asked = before["metadata"], options.get("preconditions") or {}
        for name, of in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if asked.get(name, known[name]) != known[name]:
                raise conflict(resource, write.name,
                               f"the {of} in the precondition ({asked[name]}) does not match the {of} in record ({known[name]}). "
                               "The object might have been deleted and then recreated")
        finalizers = list(known.get("finalizers", []))
        if options.get("propagationPolicy") == "Foreground" and "deletionTimestamp" not in known:
            finalizers.append("foregroundDeletion")
        if write.is_dry or "deletionTimestamp" in known:
            return before if finalizers else None
        meta = known | {"deletionTimestamp": self._store.now(), "deletionGracePeriodSeconds": 0}
        meta |= {"finalizers": finalizers} if finalizers else {}
        if "generation" in known:
            meta["generation"] += 1
        after = before | {"metadata": meta}
        if resource == kinds.NAMESPACES:
            after["status"] = {"phase": "Terminating"}
        elif resource != kinds.DEFINITIONS and not finalizers:
            self._remove(resource, after)
            return None
        after = self._store.put(resource, after, self._store.owners(before))
        if resource == kinds.DEFINITIONS:
            self._clear(kinds.defined(after))
        return after

    def _clear(self, resource):
        """A kind goes: with its objects, and after them."""
        for one in self._store.list(resource):
            meta = one["metadata"]
            self.delete(Write(resource, meta.get("namespace"), meta["name"], "", {}, ""), {})
        self._finish(resource)

    def _remove(self, resource, last):
        gone = self._store.remove(resource, last)
        self._finish(resource)
        return gone

    def _finish(self, resource):
        definition = self._definition(resource) if resource.schema else None
        if definition and definition["metadata"].get("deletionTimestamp") and not self._store.list(resource):
            self._kinds.remove(resource.key)
            self._store.cut(resource)
            self._store.remove(kinds.DEFINITIONS, definition)

    def _definition(self, resource):
        return self._store.get(kinds.DEFINITIONS, None, f"{resource.plural}.{resource.group}")

    def _define(self, resource, made):
        if resource == kinds.DEFINITIONS:
            self._kinds.add(kinds.defined(made))


def _asked(document):
    """What somebody asks for: everything but what is said about it."""
    return {name: one for name, one in document.items() if name not in ("metadata", "status", "apiVersion", "kind")}


def _told(document):
    """What is compared to know whether anything changes."""
    meta = {name: one for name, one in document["metadata"].items() if name not in ("managedFields", "resourceVersion")}
    return {name: one for name, one in document.items() if name != "metadata"}, meta
