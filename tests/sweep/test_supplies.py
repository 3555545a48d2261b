"""What a process unpacks of a study's shared arrays, and for how long."""

from types import SimpleNamespace

from minirram.sweep import supplies


def test_supplies_are_unpacked_once_until_they_are_forgotten(monkeypatch):
    unpacked = []
    monkeypatch.setattr(supplies, "_unpacked", lambda arrays: unpacked.append(arrays) or len(unpacked))
    shared = SimpleNamespace(arrays=dict)
    try:
        assert supplies.installed(shared) == supplies.installed(shared) == 1
        supplies.forget()  # its data sets are let go: what is installed again must hold them again
        assert supplies.installed(shared) == 2
    finally:
        supplies.forget()
