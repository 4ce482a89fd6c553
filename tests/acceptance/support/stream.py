"""Server-sent events as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation"""

import json
from dataclasses import dataclass


@dataclass
class Event:
    """One of them."""

    number: int | None
    kind: str
    data: dict


class Stream:
    """The events of a run, one after the other; waits for each, and holds each to what `hold` holds it to."""

    def __init__(self, connection, path, headers, hold, evidence):
        self.connection = connection
        self.evidence = evidence
        self.hold = hold
        connection.request("GET", path, headers=headers)
        self.response = connection.getresponse()

    def next(self):
        """The next one; none where the stream has come to its end."""
        number, kind, data = None, "message", []
        while line := self.response.readline().decode():
            self.evidence.hear("streams", line)
            name, _, value = line.rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if line == "\n" and data:
                event = Event(number, kind, json.loads("\n".join(data)))
                self.hold(event.kind, event.data)
                return event
            if line == "\n":
                number, kind = None, "message"
            elif name == "id":
                number = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            else:
                # A comment says that the stream lives.
                assert name == "", line
        assert not data, f"cut off in {data}"
        return None

    def until(self, name):
        """Those up to one that is called so, or to the end."""
        events = []
        while event := self.next():
            events.append(event)
            if event.data.get("event") == name:
                break
        return events

    def close(self):
        """Reads no more of it."""
        # The response has the connection's socket for itself once the connection is to be closed.
        self.response.close()
        self.connection.close()
