"""Small runs that the tests of the command line share."""

import pytest

from ..support.options import SmallRuns


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> SmallRuns:
    """Run folders of a small network on small macros, each trained when first asked for."""
    return SmallRuns(str(tmp_path_factory.mktemp("options")))
