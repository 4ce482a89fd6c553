"""The OpenAPI document of `whimbrel serve`: it is one, and it says what is served. What is asked and answered is held to it in
every test, by `support/document.py`."""

import re

import pytest
from jsonschema import Draft202012Validator, ValidationError
from support.canary import Canary

TEXT = {"type": "string", "minLength": 1}
CONTENT = {"type": "object", "minProperties": 1, "additionalProperties": {
    "type": "object", "required": ["schema"], "properties": {"schema": {"type": "object"}},
    "patternProperties": {"^x-": {}}, "additionalProperties": False}}
PARAMETER = {
    "type": "object", "required": ["name", "in", "schema"],
    "properties": {"name": TEXT, "in": {"enum": ["query", "header", "path"]}, "required": {"type": "boolean"},
                   "schema": {"type": "object"}, "description": TEXT},
    # https://spec.openapis.org/oas/v3.1.0#parameter-object: a variable of a path is always there.
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"properties": {"required": {"const": True}}, "required": ["required"]}, "additionalProperties": False}
RESPONSE = {
    "type": "object", "required": ["description"],
    "properties": {"description": TEXT, "content": CONTENT, "headers": {"type": "object", "additionalProperties": {
        "type": "object", "required": ["schema"], "properties": {"schema": {"type": "object"}, "description": TEXT},
        "additionalProperties": False}}}, "additionalProperties": False}
SECURITY = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}}
OPERATION = {
    "type": "object", "required": ["summary", "responses"],
    "properties": {
        "summary": TEXT, "parameters": {"type": "array", "items": PARAMETER}, "security": SECURITY,
        "requestBody": {"type": "object", "required": ["content"], "additionalProperties": False, "properties": {
            "content": CONTENT, "required": {"type": "boolean"}, "description": TEXT}},
        "responses": {"type": "object", "required": ["default"], "additionalProperties": False,
                      "patternProperties": {"^([1-5][0-9][0-9]|default)$": RESPONSE}}},
    "additionalProperties": False}
# As much of https://spec.openapis.org/oas/v3.1.0 as the document uses; anything else in it is a slip.
OPENAPI = {
    "type": "object", "required": ["openapi", "info", "paths", "components"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version"], "additionalProperties": TEXT},
        "security": SECURITY,
        "paths": {"type": "object", "additionalProperties": False, "patternProperties": {"^/": {
            "type": "object", "minProperties": 1, "additionalProperties": False,
            "patternProperties": {"^(get|post|put|delete|patch|head|options|trace)$": OPERATION}}}},
        "components": {"type": "object", "additionalProperties": False, "properties": {
            "schemas": {"type": "object", "additionalProperties": {"type": "object"},
                        "propertyNames": {"pattern": r"^[a-zA-Z0-9._-]+$"}},
            "securitySchemes": {"type": "object", "additionalProperties": {
                "type": "object", "required": ["type"], "additionalProperties": False, "properties": {
                    "type": {"enum": ["http", "mutualTLS"]}, "scheme": {"const": "bearer"}}}}}}},
    "additionalProperties": False}


@pytest.fixture
def server(serve, project, sqlite):
    """A server with one environment."""
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    server = serve()
    server.phase("current")
    return server


def test_it_is_a_document_of_openapi(server):
    document = server.described()
    Draft202012Validator(OPENAPI).validate(document.value)
    schemas, references = [], []

    def walk(node, name=None):
        if isinstance(node, dict):
            references.extend([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            schemas.extend([node["schema"]] if name != "properties" and isinstance(node.get("schema"), dict) else [])
            for key, value in node.items():
                walk(value, key)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document.value)
    for schema in [*schemas, *document.components["schemas"].values()]:
        Draft202012Validator.check_schema(schema)
    known = {f"#/components/schemas/{name}" for name in document.components["schemas"]}
    # Nothing is named that isn't there, and nothing is there that nobody names.
    assert set(references) == known
    for method, path, operation in document.operations():
        variables = re.findall(r"\{(\w+)\}", path)
        named = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
        assert [name for place, name in named if place == "path"] == variables, path
        assert len(set(named)) == len(named), path
        assert (method == "POST") or "requestBody" not in operation, path
        for requirement in [*document.value["security"], *operation.get("security", [])]:
            assert requirement.keys() <= document.components["securitySchemes"].keys(), path


def test_what_it_describes_is_served(server):
    run = server.environment()["lastRun"]
    names = {"environment": "dev", "source": "default", "run": run}
    operations = list(server.described().operations())
    for method, path, operation in operations:
        place = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)
        answer = server.request(method, place)
        documented = operation["responses"].keys()
        assert str(answer.status) in documented or answer.status == 415, f"{method} {path}: {answer}"
        if "requestBody" not in operation:
            assert answer.status < 300, f"{method} {path}: {answer}"
        described = {known for known, its, _ in operations if its == path}
        for other in {"GET", "POST", "PUT", "DELETE"} - described:
            assert server.request(other, place).status == 405, f"{other} {path}"
    assert server.request("GET", "/v1").status == 404
    server.end()


def test_who_needs_no_token_is_said(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    project.table("0001-people")
    token = Canary.hatch("a token of a server", plain=True).value
    server = serve("--token", "secret://env/TOKEN", token=token, TOKEN=token)
    run = server.phase("current")["lastRun"]
    names = {"environment": "dev", "source": "default", "run": run}
    server.token = None
    for method, path, operation in server.described().operations():
        place = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], path)
        is_open = operation.get("security") == []
        assert (server.request(method, place).status == 401) != is_open, f"{method} {path}"
    server.end()


def test_what_an_order_may_say_is_said(server):
    """What the document's schema of a body refuses, the server refuses, and the other way round."""
    document = server.described()
    plan = server.environment()["plan"]["digest"]
    bodies = {
        "Apply": [{"plan": plan}, {"plan": plan, "allowDestructive": True}, {}, {"plan": 1}, {"plan": None},
                  {"plan": plan, "force": True}, {"plan": plan, "allowDestructive": "yes"}, {"plan": plan, "revision": "main"}],
        "Revert": [{"plan": plan, "migrations": ["0001-people"]}, {"plan": plan}, {"migrations": ["0001-people"]},
                   {"plan": plan, "migrations": []}, {"plan": plan, "migrations": "0001-people"},
                   {"plan": plan, "migrations": [1]}, {"plan": plan, "migrations": ["0001-people"], "by": "ann"}],
    }
    for name, all_ in bodies.items():
        for body in all_:
            status = server.post(f"/v1/environments/dev/{name.lower()}", body, status=None).status
            try:
                document.validate(body, {"$ref": f"#/components/schemas/{name}"})
                assert status != 400, (name, body)
            except ValidationError:
                assert status == 400, (name, body)
    server.end()
