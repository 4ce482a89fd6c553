"""Calls AWS as boto3 does. Each line of standard input is a call: endpoint, region, credentials, service, operation,
parameters; each line of output is its answer, or the error that AWS gave."""

import base64
import datetime
import json
import sys

import boto3
import botocore.exceptions

SESSION = boto3.session.Session()


def plain(value):
    """What JSON has no word for."""
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(type(value))


def call(asked):
    """One call."""
    credentials = asked["credentials"]
    client = SESSION.client(
        asked["service"], endpoint_url=asked["endpoint"], region_name=asked["region"],
        aws_access_key_id=credentials["access_key_id"], aws_secret_access_key=credentials["secret_access_key"],
        aws_session_token=credentials.get("session_token"),
    )
    parameters = {
        name: base64.b64decode(value["base64"]) if isinstance(value, dict) and list(value) == ["base64"] else value
        for name, value in asked["parameters"].items()
    }
    try:
        return {"answer": getattr(client, asked["operation"])(**parameters)}
    except botocore.exceptions.ClientError as error:
        return {"error": error.response["Error"]}


for line in sys.stdin:
    print(json.dumps(call(json.loads(line)), default=plain), flush=True)
