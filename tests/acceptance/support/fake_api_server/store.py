"""What there is, what has happened to it, and who looks on."""

import datetime
import secrets
import threading
from dataclasses import dataclass

from support.fake_api_server.ownership import Owners
from support.fake_api_server.refusals import EXPIRED, Refusal

# How many changes are known, for watches that begin in the past.
KEPT = 10_000


@dataclass
class Change:
    """Something that happened to an object."""

    version: int
    key: tuple
    now: dict | None
    before: dict | None


class Store:
    """The objects. Each is never changed, but followed by another one. Whoever does more than one thing has the lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.version = 1000
        # How far its clock is off.
        self.skew = datetime.timedelta()
        self._objects = {}
        self._owners = {}
        self._changes = []
        # What came before is forgotten.
        self._oldest = self.version
        self._pages = {}
        self._watches = []

    def now(self):
        """The time, as the API server has it."""
        return (datetime.datetime.now(datetime.UTC) + self.skew).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, resource, namespace, name):
        """An object, or none."""
        return self._objects.get(resource.key, {}).get((namespace or "", name))

    def list(self, resource, namespace=None):
        """The objects of a kind, in order."""
        found = self._objects.get(resource.key, {})
        return [found[place] for place in sorted(found) if namespace is None or place[0] == namespace]

    def page(self, items, limit, token):
        """A part of a list, and what asks for the rest."""
        version = self.version
        if token:
            if token not in self._pages:
                raise Refusal(410, EXPIRED)
            version, items = self._pages[token]
        rest = items[limit:] if limit else []
        further = None
        if rest:
            further = secrets.token_hex(8)
            self._pages[further] = (version, rest)
        return version, items[:limit] if limit else items, further, len(rest)

    def owners(self, found):
        """Who owns what of an object."""
        return self._owners.get(found["metadata"]["uid"], Owners()).copy()

    def put(self, resource, after, owners):
        """There is an object, or it is another one; gives it."""
        meta = after["metadata"]
        place = (meta.get("namespace", ""), meta["name"])
        before = self._objects.setdefault(resource.key, {}).get(place)
        self.version += 1
        fields = {"resourceVersion": str(self.version), "managedFields": owners.render(resource.api_version)}
        after = after | {"metadata": meta | fields}
        self._objects[resource.key][place] = after
        self._owners[meta["uid"]] = owners
        self._tell(Change(self.version, resource.key, after, before))
        return after

    def remove(self, resource, last):
        """There isn't any more; `last` is what was known of it."""
        meta = last["metadata"]
        place = (meta.get("namespace", ""), meta["name"])
        self.version += 1
        del self._objects[resource.key][place]
        self._owners.pop(meta["uid"], None)
        last = last | {"metadata": meta | {"resourceVersion": str(self.version)}}
        self._tell(Change(self.version, resource.key, None, last))
        return last

    def _tell(self, change):
        self._changes.append(change)
        if len(self._changes) > KEPT:
            self._oldest = self._changes.pop(0).version
        for watch in list(self._watches):
            watch.hear(change)

    def compact(self):
        """Forgets the past."""
        with self.lock:
            self._changes.clear()
            self._pages.clear()
            self._oldest = self.version

    def begin(self, watch, since):
        """Somebody looks on, from a version or, with none, from what there is; whether it is known what has happened since."""
        if since is None:
            for one in self.list(watch.resource, watch.namespace):
                watch.hear(Change(self.version, watch.resource.key, one, None))
        elif since < self._oldest:
            return False
        else:
            for change in self._changes:
                if change.version > since:
                    watch.hear(change)
        self._watches.append(watch)
        return True

    def end(self, watch):
        """Nobody looks on there any more."""
        if watch in self._watches:
            self._watches.remove(watch)

    def cut(self, resource):
        """Whoever looks on at a kind hears no more."""
        for watch in list(self._watches):
            if watch.resource.key == resource.key:
                watch.stop()


class Watch:
    """Somebody who looks on: at a kind, in a namespace or in all, at what is selected."""

    def __init__(self, resource, namespace, selects, send, stop):
        self.resource, self.namespace = resource, namespace
        self._selects, self._send = selects, send
        self.stop = stop

    def _sees(self, one):
        if one is None:
            return False
        return (self.namespace is None or one["metadata"].get("namespace") == self.namespace) and self._selects(one)

    def hear(self, change):
        """Tells of a change, if it is one as seen from here."""
        if change.key != self.resource.key:
            return
        is_seen, was_seen = self._sees(change.now), self._sees(change.before)
        if is_seen:
            self._send("MODIFIED" if was_seen else "ADDED", change.now)
        elif was_seen:
            gone = change.before
            meta = gone["metadata"] | {"resourceVersion": str(change.version)}
            self._send("DELETED", gone | {"metadata": meta})
