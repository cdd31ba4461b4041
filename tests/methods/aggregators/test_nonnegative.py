import numpy as np
import torch

from robomtl.methods.aggregators.nonnegative import minimise_nonnegative


def problem(seed):
    generator = torch.Generator().manual_seed(seed)
    count = int(torch.randint(1, 31, (), generator=generator))
    rows = torch.randn(count, count + 3, generator=generator).double()
    return (rows @ rows.T).numpy(), torch.randn(count, generator=generator).double().numpy() * 5


def test_no_component_could_move_and_make_it_smaller():
    for seed in range(200):
        matrix, linear = problem(seed)
        z, support = minimise_nonnegative(matrix, linear)
        slope = matrix @ z - linear
        assert z.min() >= 0
        assert slope.min() > -1e-9
        assert np.abs(slope * z).max() < 1e-9
        assert sorted(support) == np.flatnonzero(z).tolist()


def test_it_is_the_least_of_all_supports():
    for seed in range(60):
        matrix, linear = problem(seed)
        matrix, linear = matrix[:6, :6], linear[:6]
        z, _ = minimise_nonnegative(matrix, linear)
        least = 0.0
        for mask in range(1, 2 ** len(linear)):
            inside = [i for i in range(len(linear)) if mask >> i & 1]
            values = np.linalg.solve(matrix[np.ix_(inside, inside)], linear[inside])
            if values.min() >= 0:
                least = min(least, -0.5 * linear[inside] @ values)
        np.testing.assert_allclose(0.5 * z @ matrix @ z - linear @ z, least, rtol=1e-7, atol=1e-7)


def test_the_guess_of_the_support_does_not_matter():
    for seed in range(50):
        matrix, linear = problem(seed)
        z, support = minimise_nonnegative(matrix, linear)
        everything = list(range(len(linear)))
        for guess in ([], everything, support, everything[::2]):
            np.testing.assert_allclose(minimise_nonnegative(matrix, linear, guess)[0], z, atol=1e-7)


def test_variables_that_are_copies_of_each_other_do_not_make_it_run_in_circles():
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randn(12, 4, generator=generator).double()
        rows = torch.nn.functional.normalize(torch.cat((rows, rows, -rows)))
        matrix = (rows @ rows.T + 1e-14 * torch.eye(36)).numpy()
        linear = matrix @ torch.randn(36, generator=generator).double().numpy()
        z, _ = minimise_nonnegative(matrix, linear)
        assert z.min() >= 0
        assert (matrix @ z - linear).min() > -1e-8
