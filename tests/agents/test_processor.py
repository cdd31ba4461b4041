import pytest

from robomtl.agents import processor

_XEON = "vendor_id : GenuineIntel\nflags : fpu avx512f avx512_vnni\n"
_EPYC = "vendor_id : AuthenticAMD\nflags : fpu avx512f avx512_bf16 avx512_vnni\n"
_GRAVITON = "CPU implementer : 0x41\nFeatures : fp asimd i8mm bf16 dgh\n"
_RYZEN = "AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD"  # Python's words on Windows


@pytest.mark.parametrize(
    ("told", "amds", "bfloat16"),
    [
        (_XEON, False, False),
        (_EPYC, True, True),
        (_GRAVITON, False, True),
        (_RYZEN, True, False),
        ("", False, False),
    ],
)
def test_what_is_told_of_a_processor(told, amds, bfloat16, monkeypatch, tmp_path):
    missing, file = tmp_path / "missing", tmp_path / "cpuinfo"
    file.write_text(told)
    monkeypatch.setattr(processor, "Path", lambda name: missing if told == _RYZEN else file)
    monkeypatch.setattr(processor.platform, "processor", lambda: _RYZEN)
    processor._words.cache_clear()
    try:
        assert processor.made_by_amd() is amds
        assert processor.computes_in_bfloat16() is bfloat16
    finally:
        processor._words.cache_clear()
