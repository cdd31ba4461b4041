import pytest

from robomtl import devices
from robomtl.devices import resolve_precision


@pytest.mark.parametrize("units", [True, False])
def test_bfloat16_is_taken_where_the_processor_computes_in_it(units, monkeypatch):
    monkeypatch.setattr(devices, "computes_in_bfloat16", lambda: units)
    assert resolve_precision("auto", "cpu") == ("bf16" if units else "f32")
    assert resolve_precision("auto", "mps") == "f32"
    for asked in ("bf16", "f32"):
        assert resolve_precision(asked, "cpu") == asked


@pytest.mark.parametrize("units", [True, False])
def test_bfloat16_is_taken_where_a_graphics_card_computes_in_it(units, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: units)
    assert resolve_precision("auto", "cuda:0") == ("bf16" if units else "f32")
