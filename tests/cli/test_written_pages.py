"""The modules that write a page of the docs or the schemas, called as the pages say."""

import runpy
import sys

import pytest

from ..support.places import ROOT


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
@pytest.mark.parametrize(
    "module, name", [("limits_page", "limits.md"), ("counts_page", "counts.md"), ("schemas", "schemas")]
)
def test_what_is_written_is_what_is_kept(module, name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [module, str(tmp_path / name)])
    runpy.run_module("minirram.cli." + module, run_name="__main__")
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert written and all((tmp_path / path).read_bytes() == (ROOT / "docs" / path).read_bytes() for path in written)
    if module == "schemas":
        assert len(written) == len(list((ROOT / "docs" / name).iterdir()))
