"""Patches of objects: merges, and operations one after the other."""

import copy

from support.fake_api_server.refusals import Refusal


def merge(value, change):
    """A value with a merge patch in it."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    made = dict(value) if isinstance(value, dict) else {}
    for name, one in change.items():
        if one is None:
            made.pop(name, None)
        else:
            made[name] = merge(made.get(name), one)
    return made


def operate(value, operations):
    """A value after the operations of a JSON patch."""
    value = copy.deepcopy(value)
    for one in operations:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]]
        at = value
        try:
            for part in path:
                at = at[int(part) if isinstance(at, list) else part]
            _one(at, last, one)
        except (KeyError, IndexError, ValueError) as error:
            raise Refusal(422, f"the server rejected our request due to an error in our request: {error}", "Invalid") from None
    return value


def _one(at, last, operation):
    if isinstance(at, list):
        last = len(at) if last == "-" else int(last)
    match operation["op"]:
        case "add" if isinstance(at, list):
            at.insert(last, operation["value"])
        case "add":
            at[last] = operation["value"]
        case "replace":
            at[last]  # noqa: B018
            at[last] = operation["value"]
        case "remove":
            del at[last]
        case "test" if at[last] != operation["value"]:
            raise ValueError(f"testing value {operation['path']} failed")
