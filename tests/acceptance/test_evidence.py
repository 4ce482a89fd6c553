"""The last test: what all others have left behind holds no secret. Where several processes share the tests, each looks at what
it left behind itself when it ends (`conftest.cluster`)."""

import pytest
from support.product import FAILED
from test_canary import betrayed  # noqa: F401


@pytest.mark.last
def test_nothing_that_was_left_behind_holds_a_secret(whimbrel, project, betrayed, evidence):  # noqa: F811
    # So that there is something to search even when this test is run alone.
    project.migration("0001-people", "SELECT betrayal.fail('raw')")
    whimbrel.run("apply", "--environment", "dev", code=FAILED)
    evidence.hold()
    assert evidence.looked_at > evidence.runs > 0
    assert evidence.rows > 0
