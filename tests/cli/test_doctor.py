"""minirram doctor: what it says of a machine that computes right, and of one that does not."""

from minirram.cli import self_test

from ..support.options import call, figures, shows


@shows("doctor", "--data")
def test_a_machine_that_is_well(tmp_path):
    (tmp_path / "retina.npz").write_bytes(b"")
    found = figures("doctor", "--data", str(tmp_path))
    assert found["data_folder"] == str(tmp_path)
    assert found["passed"] and found["product_hash"] == found["expected_hash"] and found["seconds"] < 10
    assert [name for name, there in found["data"].items() if there] == ["retina.npz"]
    assert set(found["extras"]) >= {"report", "lab", "driver", "onnx"}
    assert "all is well" in call("doctor").out


def test_a_product_that_is_off_fails_the_self_test(monkeypatch):
    monkeypatch.setattr(self_test, "product_hash", lambda: "00000000")
    found = figures("doctor", code=1)
    assert not found["passed"]
    assert (found["product_hash"], found["expected_hash"]) == ("00000000", self_test.PRODUCT_HASH)
    assert "does not compute as it should" in call("doctor").out


def test_wrong_gradients_fail_the_self_test(monkeypatch):
    monkeypatch.setattr(self_test, "gradient_error", lambda: 0.5)
    assert call("doctor").code == 1
