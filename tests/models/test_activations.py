"""Activations in place are the ones that training differentiates, to rounding."""

import pytest
import torch

from models.activations import ACTIVATIONS, activated


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_values_in_place_are_those_of_training(activation, dtype):
    values = torch.linspace(-300, 300, 60_001, dtype=torch.float64).to(dtype)
    exact = ACTIVATIONS[activation](values.to(torch.float64))
    fresh = values.clone()
    found = activated(activation, fresh)
    torch.testing.assert_close(
        found.to(torch.float64), exact, rtol=4 * torch.finfo(dtype).eps, atol=2e-7 if dtype == torch.float32 else 0.0
    )
    with torch.enable_grad():
        wanted = activated(activation, values.clone().requires_grad_())
    assert wanted.requires_grad
    torch.testing.assert_close(
        found, wanted.detach(), rtol=4 * torch.finfo(dtype).eps, atol=2e-7 if dtype == torch.float32 else 0.0
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_values_that_are_not_finite_stay_so(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = activated("cosine", torch.tensor([torch.inf, torch.nan, 0.0]))
    finally:
        torch.set_num_threads(before)
    assert found.isnan().tolist() == [True, True, False]
