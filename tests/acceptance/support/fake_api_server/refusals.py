"""How the API server says no."""

REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict",
    410: "Expired", 415: "UnsupportedMediaType", 422: "Invalid",
}


class Refusal(Exception):
    """A request that isn't done, and why."""

    def __init__(self, code, message, reason=None, **details):
        super().__init__(message)
        self.code = code
        self.document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                         "reason": reason or REASONS[code], "code": code}
        if details:
            self.document["details"] = details


def not_found(resource, name):
    """There is no such object."""
    return Refusal(404, f'{resource.qualified} "{name}" not found', name=name, group=resource.group, kind=resource.plural)


def conflict(resource, name, why):
    """It isn't as whoever asks has seen it."""
    return Refusal(409, f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
                   name=name, group=resource.group, kind=resource.plural)


def invalid(resource, name, causes):
    """It isn't what its kind is."""
    told = ", ".join(f"{field}: {why}" for field, why in causes)
    causes = [{"reason": "FieldValueInvalid", "message": why, "field": field} for field, why in causes]
    return Refusal(422, f'{resource.kind}.{resource.group} "{name}" is invalid: {told}', name=name, group=resource.group,
                   kind=resource.kind, causes=causes)


EXPIRED = "The provided continue parameter is too old to display a consistent list result."
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
