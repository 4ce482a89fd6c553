"""What is asked of the real API server and of the fake one alike: one text, two servers."""

import pytest

# For a test, or for all of a file (`pytestmark`): it has the one in turn and the other.
on_both = pytest.mark.parametrize("api_server", ["kubernetes", "fake_kubernetes"], indirect=True, ids=["real", "fake"])
# For what the real one can't be made to do.
on_the_fake = pytest.mark.parametrize("api_server", ["fake_kubernetes"], indirect=True, ids=["fake"])
