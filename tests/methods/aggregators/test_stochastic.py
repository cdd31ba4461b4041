"""PCGrad, GradVac and GradDrop: definitions on explicit gradients, randomness, saved states."""

import pytest
import torch

from robomtl.methods import MethodError
from robomtl.methods.aggregators import (
    GradDrop,
    GradVac,
    NonFiniteGramError,
    PCGrad,
    StateError,
    WeightsError,
    aggregate,
)
from tests.methods.aggregators.samples import every_kind, gradients

STATEFUL = [PCGrad, GradVac]


def pcgrad_on_gradients(rows, orders):
    """Algorithm 1 of the paper, on the gradients themselves."""
    projected = rows.clone()
    for i, others in enumerate(orders.tolist()):
        for j in others:
            product = projected[i] @ rows[j]
            if product < 0:
                projected[i] -= product / rows[j].square().sum() * rows[j]
    return projected.sum(0)


def test_pcgrad_is_its_algorithm_on_explicit_gradients():
    for kind, seed in every_kind(40):
        rows = gradients(kind, seed)
        expected = pcgrad_on_gradients(rows, PCGrad(seed=seed).orders(len(rows)))
        found = rows.T @ PCGrad(seed=seed)(rows @ rows.T)
        assert (found - expected).norm() < 1e-6 * expected.norm()


def test_gradvac_gives_a_pair_the_cosine_that_it_usually_has():
    usual = torch.tensor([[1.0, 0.0], [0.8, 0.6]]).double()  # cosine 0.8
    unusual = torch.tensor([[1.0, 0.0], [-0.6, 0.8]]).double()
    gradvac = GradVac(decay=1.0)
    gradvac(usual @ usual.T)
    turned = unusual.T @ gradvac(unusual @ unusual.T)
    # The cosine is -0.6 now, the sine 0.8: the paper's multiple for unit gradients.
    multiple = (0.8 * 0.8 + 0.6 * 0.6) / 0.6
    first, second = unusual + multiple * unusual.flip(0)
    torch.testing.assert_close((first @ unusual[1] / first.norm()).item(), 0.8)
    torch.testing.assert_close(turned, first + second)


def test_gradvac_starts_as_pcgrad():
    for kind, seed in every_kind(20):
        rows = gradients(kind, seed)
        gram = rows @ rows.T
        torch.testing.assert_close(GradVac(seed=seed)(gram), PCGrad(seed=seed)(gram))


def test_gradvac_without_memory_stays_pcgrad():
    gradvac, pcgrad = GradVac(decay=0.0), PCGrad()
    for seed in range(5):
        rows = gradients("conflicting", seed, 6)
        torch.testing.assert_close(gradvac(rows @ rows.T), pcgrad(rows @ rows.T))


def test_gradvac_survives_tasks_that_were_always_alike():
    gradvac = GradVac()
    rows = torch.ones(2, 3).double()
    for _ in range(100):
        gradvac(rows @ rows.T)
    rows[1] *= -1
    assert gradvac(rows @ rows.T).isfinite().all()


def test_gradvac_is_for_one_number_of_tasks():
    gradvac = GradVac()
    gradvac(torch.eye(3))
    with pytest.raises(StateError, match=r"3 tasks.*4"):
        gradvac(torch.eye(4))


def test_gradvacs_decay_is_a_share():
    with pytest.raises(MethodError, match=r"1\.5"):
        GradVac(decay=1.5)


@pytest.mark.parametrize("kind", STATEFUL)
def test_orders_change_from_call_to_call_and_with_the_seed(kind):
    rows = gradients("conflicting", 1, 8)
    gram = rows @ rows.T
    one = PCGrad() if kind is PCGrad else GradVac(decay=0.0)
    first, second = one(gram), one(gram)
    assert not first.equal(second)
    assert not kind(seed=1)(gram).equal(first)


def test_every_order_of_the_others_is_as_likely():
    pcgrad = PCGrad()
    seen = {}
    for _ in range(2400):
        for task, order in enumerate(pcgrad.orders(4).tolist()):
            assert sorted([task, *order]) == [0, 1, 2, 3]
            seen[task, *order] = seen.get((task, *order), 0) + 1
    assert len(seen) == 24
    assert all(320 < times < 480 for times in seen.values())  # 400, standard deviation 18


@pytest.mark.parametrize("kind", STATEFUL)
def test_a_resumed_one_continues_to_the_bit(kind):
    grams = [rows @ rows.T for rows in (gradients("conflicting", seed, 6) for seed in range(6))]
    whole, first = kind(seed=3), kind(seed=3)
    expected = [whole(gram) for gram in grams]
    for gram in grams[:3]:
        first(gram)
    state = first.state_dict()
    first(grams[0])  # must not reach into the saved state
    resumed = kind(seed=9)
    resumed.load_state_dict(state)
    for gram, alpha in zip(grams[3:], expected[3:], strict=True):
        assert resumed(gram).equal(alpha)


def test_states_are_not_mixed_up():
    with pytest.raises(StateError, match="targets"):
        GradVac().load_state_dict(PCGrad().state_dict())
    with pytest.raises(StateError, match="targets"):
        PCGrad().load_state_dict(GradVac().state_dict())


def test_graddrop_keeps_one_sign_in_each_component_on_its_own():
    rows = gradients("random", 0, 5)
    (kept,) = GradDrop().combine([rows])
    positive, negative = rows.clamp(min=0).sum(0), rows.clamp(max=0).sum(0)
    chosen = kept.isclose(positive)
    assert (chosen | kept.isclose(negative)).all()
    assert 0 < chosen.sum() < len(kept)


def test_graddrop_chooses_a_sign_as_often_as_gradients_lean_to_it():
    column = torch.tensor([3.0, -1.0, -0.5])
    (kept,) = GradDrop().combine([column[:, None].expand(3, 20_000)])
    purity = (1 + 1.5 / 4.5) / 2
    assert abs((kept > 0).float().mean().item() - purity) < 0.015  # 4.5 standard deviations
    assert set(kept.tolist()) == {3.0, -1.5}


def test_graddrop_leaves_components_without_conflict_alone():
    rows = torch.tensor([[1.0, -2.0, 0.0], [3.0, -1.0, 0.0]])
    for seed in range(20):
        (kept,) = GradDrop(seed=seed).combine([rows])
        assert kept.equal(torch.tensor([4.0, -3.0, 0.0]))


@pytest.mark.parametrize("leak", [0.0, 0.25, 1.0])
def test_graddrop_leaks_a_share_of_what_it_drops(leak):
    rows = torch.tensor([[1.0], [-3.0]])
    for seed in range(10):
        (kept,) = GradDrop(leak=leak, seed=seed).combine([rows])
        assert min(abs(kept.item() - (1 - 3 * leak)), abs(kept.item() - (leak - 3))) < 1e-6


def test_graddrop_returns_one_update_per_parameter_in_its_shape_and_precision():
    generator = torch.Generator().manual_seed(0)
    blocks = [
        torch.randn(3, 4, 5, generator=generator),
        torch.randn(3, generator=generator).double(),
        torch.randn(3, 2, generator=generator).bfloat16(),
    ]
    updates = GradDrop().combine(blocks)
    assert [update.shape for update in updates] == [(4, 5), (), (2,)]
    assert [update.dtype for update in updates] == [block.dtype for block in blocks]


def test_graddrops_weights_scale_the_gradients():
    rows = gradients("random", 0, 3)
    weights = torch.tensor([2.0, -1.0, 0.5])
    (scaled,) = GradDrop().combine([rows * weights[:, None].double()])
    (weighted,) = GradDrop().combine([rows], weights)
    assert weighted.equal(scaled)


def test_a_resumed_graddrop_continues_to_the_bit():
    rows = gradients("random", 0, 3)
    whole, resumed = GradDrop(), GradDrop(seed=7)
    whole.combine([rows])
    resumed.load_state_dict(whole.state_dict())
    assert resumed.combine([rows])[0].equal(whole.combine([rows])[0])
    assert not whole.combine([rows])[0].equal(whole.combine([rows])[0])


def test_graddrop_refuses_gram_matrices_of_any_size():
    for gram in (torch.eye(2), torch.eye(1), torch.zeros(2, 2)):
        with pytest.raises(MethodError, match="combine"):
            aggregate("graddrop", gram)


def test_graddrop_refuses_blocks_that_are_none():
    with pytest.raises(MethodError, match=r"\(2, 3\).*\(3, 3\)"):
        GradDrop().combine([torch.ones(2, 3), torch.ones(3, 3)])
    with pytest.raises(MethodError, match=r"\[\]"):
        GradDrop().combine([])
    with pytest.raises(WeightsError, match="2 tasks"):
        GradDrop().combine([torch.ones(2, 3)], torch.ones(3))
    with pytest.raises(NonFiniteGramError, match=r"\[1\]"):
        GradDrop().combine([torch.ones(2, 3), torch.tensor([[0.0], [torch.nan]])])
