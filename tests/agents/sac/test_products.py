import pytest
import torch
import torch.nn.functional as F

from robomtl.agents.sac import products
from robomtl.agents.sac.products import fast_products


@pytest.mark.parametrize("amds", [True, False])
def test_products_and_gradients_are_as_exact_as_float32_is(amds, monkeypatch):
    monkeypatch.setattr(products, "made_by_amd", lambda: amds)
    x, w = torch.randn(300, 200), torch.randn(100, 200, requires_grad=True)
    with fast_products(torch.device("cpu")):
        y = F.linear(x, w)
        (gradient,) = torch.autograd.grad(y.square().sum(), [w])
    exact = x.double() @ w.detach().double().T
    wanted = 2 * exact.T @ x.double()
    assert (y.double() - exact).abs().max() < 1e-5 * exact.abs().max()
    assert (gradient.double() - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_mkl_keeps_the_products_of_the_processors_it_is_made_for(monkeypatch):
    monkeypatch.setattr(products, "made_by_amd", lambda: False)
    before = torch.get_float32_matmul_precision()
    with fast_products(torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before


def test_what_others_set_is_put_back(monkeypatch):
    monkeypatch.setattr(products, "made_by_amd", lambda: True)
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyError), fast_products(torch.device("cpu")):
        raise KeyError
    assert torch.get_float32_matmul_precision() == before
