"""The HorizontalPodAutoscaler and the rule by which the Prometheus adapter gives it its metric, as PromQL is really evaluated.

The adapter itself doesn't run here: the places of its template are filled in as its documentation says.
https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
"""

import json
import subprocess

import pytest
import yaml
from support.kubernetes import manifests
from support.parts import program
from support.product import ROOT
from support.schemas import hold


@pytest.fixture
def autoscaler():
    """The manifest."""
    [document] = manifests("autoscaler.yaml")
    return document


@pytest.fixture
def rule():
    """The adapter's rule."""
    [rule] = yaml.safe_load((ROOT / "deploy/prometheus/adapter.yaml").read_text())["rules"]["custom"]
    return rule


def evaluate(folder, query, series, wanted):
    """What promtool has against a query that should give these samples after a minute; nothing if it does."""
    file = folder / "test.json"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": [{
        "interval": "15s", "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": "1m", "exp_samples": [
            {"labels": labels, "value": value} for labels, value in wanted.items()]}]}]}))
    done = subprocess.run([program("PROMTOOL", "promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_they_are_taken(kubernetes, namespace, autoscaler):
    hold([autoscaler])
    kubernetes.apply(autoscaler, namespace.name, dry_run=True)
    [deployment] = [one for one in manifests("operator.yaml") if one["kind"] == "Deployment"]
    assert autoscaler["spec"]["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"], "kind": "Deployment", "name": deployment["metadata"]["name"]}


def test_the_rule_gives_each_pod_what_waits_for_it(tmp_path, autoscaler, rule):
    [metric] = autoscaler["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]
    # It is called as its series are.
    assert "name" not in rule
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    assert f"| `{name}` | gauge |" in (ROOT / "docs/metrics.md").read_text()
    series = {
        f'{name}{{namespace="shop",pod="one",instance="10.0.0.7:8732"}}': "0 0 30 0 0",
        f'{name}{{namespace="shop",pod="two",instance="10.0.0.8:8732"}}': "5 5 5 5 5",
        f'{name}{{namespace="billing",pod="one",instance="10.0.0.9:8732"}}': "90 90 90 90 90",
        # Of a process outside of the cluster.
        f'{name}{{instance="192.0.2.1:8732"}}': "70 70 70 70 70",
    }
    # Which series there are.
    found = {f'{name}{{namespace="shop",pod="one",instance="10.0.0.7:8732"}}': 0,
             f'{name}{{namespace="shop",pod="two",instance="10.0.0.8:8732"}}': 5,
             f'{name}{{namespace="billing",pod="one",instance="10.0.0.9:8732"}}': 90}
    assert evaluate(tmp_path, rule["seriesQuery"], series, found) == ""
    # What the autoscaler's question becomes: some pods of a namespace, each by its name.
    query = rule["metricsQuery"]
    for place, text in (("Series", name), ("LabelMatchers", 'namespace="shop",pod=~"one|two"'), ("GroupBy", "pod")):
        query = query.replace(f"<<.{place}>>", text)
    assert "<<" not in query
    assert evaluate(tmp_path, query, series, {'{pod="one"}': 30, '{pod="two"}': 5}) == ""
