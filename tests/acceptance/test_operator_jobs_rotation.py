"""A password that is changed in the middle of a Job's run: another Pod, or another Job, goes on with the new one."""

import pytest
from support.waiting import eventually
from test_operator_failures import ROWS, right, touched
from test_operator_jobs import controllers, kubelet, operate_as_pod  # noqa: F401
from test_operator_rotation import begin


@pytest.fixture
def login(namespace, operate_as_pod, kubelet, cluster, postgres):  # noqa: F811
    """An environment that Jobs bring up to date."""
    operate_as_pod()
    return begin(namespace, cluster, postgres, execution="Job")


def ended(pods):
    """The exit codes of those that have ended, in order."""
    codes = [run.process.poll() for pod in pods.values() for run in pod.runs]
    return [code for code in codes if code is not None]


def test_the_connection_is_cut_once_the_cluster_knows_the_new_one(namespace, login, kubelet, postgres):  # noqa: F811
    login.change()
    login.tell()
    login.cut()
    assert touched(postgres) < ROWS
    right(namespace, postgres)
    assert "Failed" not in namespace.reasons("Environment", "dev")


def test_the_connection_is_cut_before_the_cluster_knows_the_new_one(namespace, login, kubelet, postgres):  # noqa: F811
    login.change()
    login.cut()
    eventually(lambda: ended(kubelet.pods), "the first Pod has ended")
    assert touched(postgres) < ROWS
    # Another Pod may work, and no Pod has failed for good.
    assert ended(kubelet.pods) == [75]
    login.tell()
    right(namespace, postgres)
    assert "Failed" not in namespace.reasons("Environment", "dev")
    assert len(kubelet.pods) > 1
