"""The alerts and the dashboard that are shipped, for tests that have less time than people."""

import json
import math
import re

from support.product import ROOT

ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/whimbrel.json"

# Panels of quantiles: of increases, and the counters of single runs begin anew with each.
TIMES = {"How long runs take", "How long steps take", "Waiting for locks", "How long calls take"}

# How long what has happened is told.
WINDOW = 12


def in_seconds(**limits):
    """The rules for impatient ones: no delays, short windows, and a day that lasts twenty seconds. `limits` are other
    numbers to wait for, by the names of alerts."""
    rules = re.sub(r"(?m)^        for: \w+\n", "", ALERTS.read_text())
    rules = re.sub(r"\[\d+m\]", f"[{WINDOW}s]", rules)
    rules = rules.replace("86400", "20")
    for name, limit in limits.items():
        rules, count = re.subn(rf"(- alert: {name}\n        expr: .* )\d+\n", rf"\g<1>{limit}\n", rules)
        assert count == 1, name
    return rules


def alerts():
    """The alerts by name, with their expressions."""
    return dict(re.findall(r"(?m)^      - alert: (\w+)\n        expr: (.+)$", ALERTS.read_text()))


def panels():
    """The expressions of the dashboard, by the titles of their panels."""
    shown = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$environment", ".*")
            expression = expression.replace("$__rate_interval", "5s").replace("$__range", "1m")
            shown.setdefault(panel["title"], []).append(expression)
    return shown


def empty_panels(prometheus):
    """The panels that have had no number for some expression, ever since the test began."""
    def is_shown(expression):
        found = prometheus.query(f"max_over_time(({expression})[10m:1s])")
        # Of nothing a quantile is no number, and nothing else shows that it was of nothing.
        return any(math.isfinite(float(series["value"][1])) for series in found)

    return {title for title, expressions in panels().items() if not all(map(is_shown, expressions))}
