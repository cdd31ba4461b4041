import torch
import torch.nn.functional as F

from robomtl.agents.sac.products import fast_products


def test_products_and_gradients_are_as_exact_as_float32_is():
    x, w = torch.randn(300, 200), torch.randn(100, 200, requires_grad=True)
    with fast_products(torch.device("cpu")):
        y = F.linear(x, w)
        (gradient,) = torch.autograd.grad(y.square().sum(), [w])
    exact = x.double() @ w.detach().double().T
    wanted = 2 * exact.T @ x.double()
    assert (y.double() - exact).abs().max() < 1e-5 * exact.abs().max()
    assert (gradient.double() - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_what_others_set_is_left_alone():
    before = torch.get_float32_matmul_precision()
    with fast_products(torch.device("cpu")):
        F.linear(torch.ones(2, 2), torch.ones(2, 2))
        assert torch.get_float32_matmul_precision() == before
    assert torch.get_float32_matmul_precision() == before
