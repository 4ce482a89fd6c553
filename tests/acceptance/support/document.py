"""The OpenAPI document of `whimbrel serve`, to which every request, answer and event of every test is held."""

import json
import re
import urllib.parse

import jsonschema

# What no path of the document answers with.
ELSEWHERE = (404, 405)

# Headers of requests that decide something; who asks is a matter of `security`.
TELLING = ("idempotency-key", "last-event-id")


class Document:
    """The document as it was served."""

    def __init__(self, value):
        self.value = value
        self.components = value["components"]

    def operations(self):
        """All of them: method, path with its variables, and what is said of it."""
        return [(method.upper(), path, operation) for path, operations in self.value["paths"].items()
                for method, operation in operations.items()]

    def operation(self, method, path):
        """What is said of such a request; none where nothing is."""
        found = [operation for of, pattern, operation in self.operations()
                 if of == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)]
        return found[0] if found else None

    def validate(self, instance, schema):
        """Holds something to a schema of it."""
        jsonschema.validate(instance, schema | {"components": self.components})

    def answer(self, method, path, status, headers, body):
        """Holds an answer to it; where `body` is None it is not looked at."""
        if status == 431:
            # The head was never read, so there is no path.
            return
        operation = self.operation(method, path.split("?")[0])
        problem = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        if operation is None:
            assert status in ELSEWHERE, f"{method} {path} is served, and the document doesn't say so: {status}"
        responses = operation["responses"] if operation else {}
        response = responses.get(str(status)) or responses.get("default") or problem
        kind = headers["content-type"]
        assert kind in response["content"], f"{method} {path}: {status} of the type {kind}"
        if "json" in kind and body is not None:
            self.validate(json.loads(body), response["content"][kind]["schema"])

    def request(self, method, path, headers, body, status):
        """Holds a request to it that was taken: it must be one that somebody could have made who knows nothing else."""
        operation = self.operation(method, path.split("?")[0])
        if status >= 300 or operation is None:
            return
        parameters = {(one["in"], one["name"].lower()): one["schema"] for one in operation.get("parameters", [])}
        query = urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query, keep_blank_values=True)
        for name, text in query:
            schema = parameters.get(("query", name.lower()))
            assert schema, f"{method} {path}: `{name}` was taken, and the document doesn't say so"
            self.validate(_read(text, schema), schema.get("items", schema))
        for name in headers:
            assert name.lower() not in TELLING or ("header", name.lower()) in parameters, f"{method} {path}: {name}"
        if not body:
            assert not operation.get("requestBody", {}).get("required"), f"{method} {path}: without a body"
            return
        sent = {name.lower(): value for name, value in headers.items()}["content-type"].split(";")[0]
        content = operation["requestBody"]["content"]
        assert sent in content, f"{method} {path}: a body of the type {sent} was taken"
        if sent == "application/json":
            self.validate(json.loads(body), content[sent]["schema"])

    def event(self, kind, data):
        """Holds an event of a run's stream to it."""
        stream = self.value["paths"]["/v1/runs/{run}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
        self.validate(data, stream["x-events"][kind])


def _read(text, schema):
    """A parameter as its schema means it."""
    kind = schema.get("items", schema).get("type")
    return text if kind == "string" else json.loads(text)
