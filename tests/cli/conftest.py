"""Small runs that the tests of the command line share."""

import pytest

from ..support.options import SmallRuns, save_changed_data


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> SmallRuns:
    """Run folders of a small network on small macros, each trained when first asked for."""
    return SmallRuns(str(tmp_path_factory.mktemp("options")))


@pytest.fixture(scope="session")
def other_answers(runs) -> str:
    """A folder with the small data set in which each validation label is one larger."""

    def change(arrays):
        arrays["validation_labels"] = (arrays["validation_labels"] + 1) % 10

    return save_changed_data(runs.data, runs.path("other-answers"), change)
