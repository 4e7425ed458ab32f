"""Random signed sums of a subject's rows, drawn once for all bounds that need them, at every delta.

Bounds that share signs fail together more often than others; each by itself, and a union over them, holds as before.
"""

from models.arrays import Inputs
from models.bounds._frozen_features import features_of
from models.bounds._uniform_gap import Ball, Radius, scaled
from models.bounds.base import BoundSubject
from models.complexities.linear_balls import l1_ball_complexity, massart
from models.complexities.path_norm_ball import homogeneous
from models.complexities.rademacher_sums import RademacherSums, rademacher_sums


def signed_inputs(subject: BoundSubject, inputs: Inputs, draws: int) -> RademacherSums:
    """sum_i xi_i x~_i over the rows of fixed loss. Randomness: the subject's stream `input_signs`."""

    def compute() -> RademacherSums:
        return rademacher_sums(inputs, homogeneous, draws, subject.randomness.child("input_signs"))

    return subject.kept(("signed inputs", draws), compute)


def signed_features(subject: BoundSubject, inputs: Inputs, draws: int) -> RademacherSums:
    """sum_i xi_i phi(x_i) over the rows of fixed loss. Randomness: the subject's stream `feature_signs`."""

    def compute() -> RademacherSums:
        randomness = subject.randomness.child("feature_signs")
        return rademacher_sums(inputs, lambda rows: features_of(subject.model, rows), draws, randomness)

    return subject.kept(("signed features", draws), compute)


def input_signs_ball(subject: BoundSubject, norm: float, factor: float, draws: int) -> Ball:
    """The ball that `norm` reaches where that of radius 1 costs (factor / N) E ||sum_i xi_i x~_i||_inf.

    For every sample of N rows with |x_ij| <= C by the finite maximum over 2(d + 1).
    """

    def of_sample(inputs: Inputs, failure_probability: float) -> Radius:
        return scaled(factor * l1_ball_complexity(signed_inputs(subject, inputs, draws), failure_probability).upper)

    sup_bound, dimension = subject.input_sup_bound, subject.training.inputs.shape[1]

    def of_every_sample(size: int) -> Radius:
        return scaled(factor * massart(max(1.0, sup_bound or 0.0), dimension + 1, size))

    return Ball(norm, of_sample, None if sup_bound is None else of_every_sample)
