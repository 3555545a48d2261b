"""A lab file with given contents."""

import pytest


@pytest.fixture
def file(tmp_path):
    """file(contents, name): a file of text or bytes."""

    def write(contents, name="lab.csv"):
        path = tmp_path / name
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return path

    return write
