"""What can happen to the events of a watch on their way from the API server."""

import json
import re

GONE = {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 410,
                                    "reason": "Expired", "message": "too old resource version"}}


class EventRule:
    """Which events of which watches go wrong, and how. Bookmarks are no events."""

    def __init__(self, path, types, name="", skip=0, times=None):
        self.path = re.compile(path)
        self.types = types.split()
        self.name = re.compile(name)
        self.skip, self.times = skip, times
        self.seen = 0
        self.hit = []
        self._how = None
        self._held = {}
        self._known = {}
        self._ends = False

    def drop(self):
        """It never comes."""
        return self._as("drop")

    def duplicate(self):
        """It comes twice."""
        return self._as("duplicate")

    def reorder(self):
        """It comes after the next one, or late."""
        return self._as("reorder")

    def stale(self):
        """What the object was before comes after it once more."""
        return self._as("stale")

    def expire(self):
        """An ERROR comes in its place, that says 410, and the watch ends."""
        return self._as("expire")

    def cut(self):
        """The watch ends in its place."""
        return self._as("cut")

    def _as(self, how):
        self._how = how
        return self

    def is_about(self, path):
        """Whether it is about a watch."""
        return self.path.search(path) is not None

    def is_over(self):
        """Whether the watch ends here; said once."""
        ends, self._ends = self._ends, False
        return ends

    def late(self, watch):
        """What was held back of a watch, once nothing else comes."""
        return self._held.pop(watch, [])

    def through(self, line, watch):
        """What comes of an event of a watch, as lines."""
        event = json.loads(line)
        meta = event["object"].get("metadata", {})
        if event["type"] not in self.types or not self.name.search(meta.get("name", "")):
            return [line]
        before = self._known.get(meta["uid"])
        self._known[meta["uid"]] = line
        if self._how == "stale" and before is None:
            return [line]
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and len(self.hit) >= self.times):
            return [line, *self.late(watch)]
        self.hit.append((event["type"], meta["name"]))
        match self._how:
            case "drop":
                return []
            case "duplicate":
                return [line, line]
            case "stale":
                return [line, before]
            case "reorder":
                if held := self.late(watch):
                    return [line, *held]
                self._held[watch] = [line]
                return []
            case "expire":
                self._ends = True
                return [json.dumps(GONE).encode() + b"\n"]
            case "cut":
                self._ends = True
                return []
        raise AssertionError("a rule that says nothing")
