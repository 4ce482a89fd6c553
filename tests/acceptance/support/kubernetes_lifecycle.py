"""A life of the operator's objects, from their creation to their end, and whether everything came right."""

import threading

from support.waiting import eventually

WITHIN = 60.0


class Lifecycle:
    """The objects of a namespace, on a SQLite file, and the operators that keep them."""

    def __init__(self, namespace, operate, target):
        self.namespace = namespace
        self.target = target
        self._operate = operate
        self._arguments = ()
        self._running = []
        self._lock = threading.Lock()
        self._is_ending = self._is_killed = False

    def start(self, *arguments):
        """Starts an operator; gives it."""
        self._arguments = arguments
        self._running.append(self._operate(*arguments))
        return self._running[-1]

    def killed(self):
        """Ends the operator as nobody can catch it, and starts another one, as a Deployment does."""
        with self._lock:
            if self._is_ending:
                # While it gives its shards back; nobody starts another one.
                self._is_killed = True
                self._running[0].running.kill()
                return
            operator = self._running.pop()
            operator.kill()
            self.start(*self._arguments)

    def has_no_crash(self):
        """Nobody has ended but those that were killed; ends the others."""
        with self._lock:
            for operator in self._running:
                assert operator.running.process.poll() is None, operator.running.end(code=None)
            self._is_ending = True
        for operator in self._running:
            ended = operator.end(code=None)
            assert ended.code == (-9 if self._is_killed else 0), ended

    def spec(self, table, **more):
        """A migration that makes a table."""
        return {"environmentRef": {"name": "dev"},
                "steps": [{"sql": f"CREATE TABLE {table} (id integer)", "revert": f"DROP TABLE {table}"}]} | more

    def environment(self, **policy):
        """Makes an environment, and waits until it is ready."""
        url = {"secretKeyRef": {"name": "shop", "key": "url"}}
        self.namespace.apply("Secret", "shop", {"url": f"sqlite:{self.target.file}"})
        self.namespace.apply("Environment", "dev", {
            "databases": {"shop": {"url": url}},
            "policy": {"apply": "Auto", "destructive": "Allow", "lockWait": "2s"} | policy})
        self.namespace.until("Environment", "dev", "Ready", within=WITHIN)

    def migration(self, name, **more):
        """Makes a migration, and waits until it is applied."""
        self.namespace.apply("Migration", name, self.spec(name[5:], **more))
        self.namespace.until("Migration", name, "Succeeded", within=WITHIN)

    def approval(self, name):
        """Has a migration wait for its approval, and approves it."""
        self.namespace.patch("Environment", "dev", {"spec": {"policy": {"apply": "Approve", "approvers": ["ann"]}}})
        # Objects of two kinds are heard of in any order.
        self.namespace.until("Environment", "dev", "Ready", within=WITHIN)
        self.namespace.apply("Migration", name, self.spec(name[5:]))

        def asks():
            found = self.namespace.get("Environment", "dev")
            one = self.namespace.condition("Environment", "dev", "Ready")
            return one and one["reason"] == "ApprovalRequired" and found["status"].get("plan")
        plan = eventually(asks, "an approval is asked for", WITHIN)
        self.namespace.apply("Approval", "yes", {"environmentRef": {"name": "dev"}, "plan": plan, "approver": "ann"})
        self.namespace.until("Approval", "yes", "Succeeded", within=WITHIN)
        self.namespace.until("Migration", name, "Succeeded", within=WITHIN)

    def right(self, *names, within=WITHIN):
        """Each is applied once, and everything says so of itself as it is now."""
        for name in names:
            self.namespace.until("Migration", name, "Succeeded", reason="Applied", within=within)
        self.namespace.until("Environment", "dev", "Ready", reason="Current", within=within)

        def counted():
            status = self.namespace.get("Environment", "dev")["status"]
            return (status["pending"], status["failed"]) == (0, 0) and status["applied"] >= len(names)
        eventually(counted, "everything is counted", within)
        self.history(**{name: 1 for name in names})

    def history(self, kind="applied", **expected):
        """How often the history says of migrations that something was done."""
        query = f"SELECT migration, count(*) FROM whimbrel_event WHERE kind = '{kind}' GROUP BY migration"
        found = dict(self.target.rows(query))
        assert {name: found.get(name, 0) for name in expected} == expected

    def rotate(self, other):
        """Has the Secret say another database, with everything to be applied there."""
        self.target = other
        self.namespace.apply("Secret", "shop", {"url": f"sqlite:{other.file}"})
        eventually(lambda: "people" in other.tables(), "the new value is used", WITHIN)

    def delete(self):
        """Deletes the environment, and waits until its finalizer is gone."""
        self.namespace.delete("Environment", "dev")
        eventually(lambda: self.namespace.get("Environment", "dev") is None, "it is let go", WITHIN)

    def short(self):
        """Creation, a migration, another one, an approval and the end."""
        self.environment()
        self.migration("0001-people")
        self.migration("0002-orders")
        self.approval("0003-items")
        self.right("0001-people", "0002-orders", "0003-items")
        self.delete()
        assert self.target.tables() == {"people", "orders", "items"}

    def whole(self):
        """The same, with a revert by deletion."""
        self.environment()
        self.migration("0001-people")
        self.migration("0002-orders", deletionPolicy="Revert")
        self.namespace.delete("Migration", "0002-orders")
        eventually(lambda: self.namespace.get("Migration", "0002-orders") is None, "it is reverted", WITHIN)
        self.history("reverted", **{"0002-orders": 1})
        self.approval("0003-items")
        self.right("0001-people", "0003-items")
        self.delete()
        assert self.target.tables() == {"people", "items"}
