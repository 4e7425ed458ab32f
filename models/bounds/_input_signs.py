"""Balls whose complexity is a factor times that of the inputs: (factor / N) E ||sum_i xi_i x~_i||_inf for radius 1."""

from models.arrays import Inputs
from models.bounds._uniform_gap import Ball, Radius, scaled
from models.bounds.base import BoundSubject
from models.complexities.linear_balls import l1_ball_complexity, massart
from models.complexities.path_norm_ball import homogeneous


def input_signs_ball(subject: BoundSubject, norm: float, factor: float, stream: str, draws: int) -> Ball:
    """The ball that `norm` reaches. For every sample of N rows with |x_ij| <= C by the finite maximum over 2(d + 1).

    Randomness: `draws` sign vectors of the subject's `stream`.
    """

    def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
        randomness = subject.randomness.child(stream)
        return scaled(factor * l1_ball_complexity(homogeneous, inputs, draws, failure_probability, randomness).upper)

    sup_bound, dimension = subject.input_sup_bound, subject.training.inputs.shape[1]

    def of_every_sample(size: int) -> Radius:
        return scaled(factor * massart(max(1.0, sup_bound or 0.0), dimension + 1, size))

    return Ball(norm, of_sample, None if sup_bound is None else of_every_sample)
