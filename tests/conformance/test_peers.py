"""The adapters of other simulators in docs/examples/peers, where the peer is installed: docs/scoreboard.md."""

import runpy

import pytest

from ..support.places import ROOT

PEERS = {"crosssim": "simulator", "aihwkit": "aihwkit"}
"""adapter -> package of the peer"""


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_the_adapter_of_a_peer_runs(name, capsys):
    """It reports on the laws that its page says the peer keeps."""
    pytest.importorskip(PEERS[name], reason=f"needs the peer {name}")
    runpy.run_path(str(ROOT / "docs" / "examples" / "peers" / f"{name}_device.py"), run_name="__main__")
    said = capsys.readouterr().out
    for law in ("integer exactness", "pruned column", "sign", "superposition of planes"):
        assert [line for line in said.splitlines() if law in line and "holds" in line], said
