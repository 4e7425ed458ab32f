"""From a Fourier representation to the Barron norm."""

from models.measures import Measure


def barron_bound_from_spectrum(
    spectral: float, gradient_at_zero_l1: float, value_at_zero: float, measure: Measure
) -> float | None:
    """||f||_B <= 3 C_f + k |grad f(0)|_1 + |f(0)|, k = 1 on [0,1]^d and 2 on [-1,1]^d; None on R^d.

    With c = |w|_1 and |z| <= c, z = w.x, e^{iz} - iz - 1 = -int_0^c (relu(z - u) e^{iu} + relu(-z - u) e^{-iu}) du, and
    2 int_0^c (c + u) du = 3 c^2, the bias weight counted. x_j is one neuron where x_j >= 0, two otherwise.
    """
    if measure == "gaussian":
        return None
    factor = 1 if measure == "uniform" else 2
    return 3 * spectral + factor * abs(gradient_at_zero_l1) + abs(value_at_zero)
