"""What a schema says of an object: what of it is kept, what is set where nothing is said, and what is wrong."""

import re

PRESERVES = "x-kubernetes-preserve-unknown-fields"
TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
}
# What every object has at its top, which no schema of a kind describes.
ENVELOPE = ("apiVersion", "kind", "metadata")


def child(schema, name):
    """The schema of a field."""
    schema = schema or {}
    if name in schema.get("properties", {}):
        return schema["properties"][name]
    rest = schema.get("additionalProperties")
    return rest if isinstance(rest, dict) else None


def complete(value, schema):
    """A value with the defaults of its schema."""
    if isinstance(value, list):
        return [complete(one, schema.get("items", {})) for one in value]
    if not isinstance(value, dict):
        return value
    made = {name: complete(one, child(schema, name) or {}) for name, one in value.items()}
    for name, one in schema.get("properties", {}).items():
        if "default" in one and name not in made:
            made[name] = complete(one["default"], one)
    return made


def prune(value, schema, unknown, path="", is_top=True):
    """A value without the fields that its schema doesn't know; they are added to `unknown`."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [prune(one, items, unknown, f"{path}[{at}]", False) for at, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, one in value.items():
        of = child(schema, name)
        place = f"{path}.{name}" if path else name
        if is_top and name in ENVELOPE:
            kept[name] = one
        elif of is not None:
            kept[name] = prune(one, of, unknown, place, False)
        elif schema.get(PRESERVES) or not (schema.get("properties") or schema.get("type") == "object"):
            kept[name] = one
        else:
            unknown.append(place)
    return kept


def unknown_fields(value, schema):
    """The fields that a schema doesn't know."""
    unknown = []
    prune(value, schema, unknown)
    return unknown


def wrong(value, schema, path=""):
    """What is wrong with a value: where, and why."""
    schema = schema or {}
    if value is None:
        return [] if schema.get("nullable") or not schema.get("type") else [(path, f"must be of type {schema['type']}: \"null\"")]
    expected = schema.get("type")
    if expected and (not isinstance(value, TYPES[expected]) or (isinstance(value, bool) and expected != "boolean")):
        return [(path, f"Invalid value: must be of type {expected}")]
    found = [(path, f"Invalid value: {why}") for why in _bounds(value, schema)]
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(f'"{one}"' for one in schema["enum"])
        found.append((path, f'Unsupported value: "{value}": supported values: {supported}'))
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                found.append((f"{path}.{name}".lstrip("."), "Required value"))
        for name, one in value.items():
            if path or name not in ENVELOPE:
                found += wrong(one, child(schema, name), f"{path}.{name}".lstrip("."))
    if isinstance(value, list):
        for at, one in enumerate(value):
            found += wrong(one, schema.get("items"), f"{path}[{at}]")
    return found


def _bounds(value, schema):
    """Which bounds it breaks."""
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"should match '{schema['pattern']}'"
    for what, kind in (("Length", str), ("Items", list), ("Properties", dict)):
        if isinstance(value, kind):
            least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", len(value))
            if not least <= len(value) <= most:
                yield f"should have {least} to {most} {what}"
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"should be between {schema.get('minimum')} and {schema.get('maximum')}"
