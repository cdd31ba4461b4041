"""The fake is called as the real RLBench and PyRep are."""

import pytest

from tests.envs.rlbench.signatures import SIGNATURES, signature


@pytest.mark.usefixtures("rlbench")
@pytest.mark.parametrize("path", SIGNATURES)
def test_the_fake_has_the_real_ones_signatures(path: str) -> None:
    assert signature(path) == SIGNATURES[path]
