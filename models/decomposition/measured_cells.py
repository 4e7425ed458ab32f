"""From the functions of every seed at the test inputs to the moments of each cell."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Outputs
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.setting import DecompositionSetting
from models.decomposition.terms import BB, CellMoments, error_products
from models.estimates import Estimate


@dataclass(frozen=True)
class CellOutcome:
    """What one cell leaves: the moments on test points, and of each seed R_n(f^) and R_n(f~), noise included.

    `regularization_bias`: R(f_{m,penalty}) - R(f_m) of a penalised learner, where it was found.
    `longer`: the moments with twice the steps of f^ in place of f~, where these were found. `shared_rows`: N of the
    points of f_m where the seeds' spread does not show what these leave uncertain, else inf.
    """

    moments: CellMoments
    trained_empirical: Float[Tensor, " s"]
    best_on_sample_empirical: Float[Tensor, " s"]
    regularization_bias: Estimate | None = None
    longer: CellMoments | None = None
    shared_rows: float = math.inf


def measured_cells(
    setting: DecompositionSetting, widths: int, seeds: Iterable[tuple[SeedPart, PopulationPart]]
) -> list[dict[int, CellOutcome]]:
    """Of each width of a group, the outcomes by sample size; a seed's functions are looked at once, in order.

    Raises:
        NumericalFailure: a prediction is not finite.
    """
    collected = _Collected(setting, widths)
    for part, population in seeds:
        collected.add_seed(part, population)
    return collected.outcomes()


class _Collected:
    def __init__(self, setting: DecompositionSetting, widths: int) -> None:
        self._sizes, self._widths = setting.sample_sizes, range(widths)
        self._truth = setting.population.target.evaluate(setting.test_inputs)
        cells = [(index, size) for index in self._widths for size in self._sizes]
        points = setting.test_inputs.shape[0]
        self._moments = {cell: CellMoments(points) for cell in cells}
        self._penalised: dict[tuple[int, int], CellMoments] = {}
        self._longer: dict[tuple[int, int], CellMoments] = {}
        self._influences: dict[tuple[int, int], Tensor] = {}
        self._shared_rows = [math.inf] * widths
        self._empirical: list[Tensor] = []

    def add_seed(self, part: SeedPart, population: PopulationPart) -> None:
        penalties = part.penalties.tolist()
        for index in self._widths:
            best, leverage = population.best[index], population.leverage[index]
            if part.population is None or not self._empirical:
                self._shared_rows[index] = float(population.rows[index])
            else:
                self._shared_rows[index] = math.inf
            for place, size in enumerate(self._sizes):
                on_sample, trained = part.best_on_sample[index, place], part.trained[index, place]
                self._moments[index, size].add_seed(error_products(self._truth, best, on_sample, trained), leverage)
                if part.longer is not None:
                    moments = self._longer.setdefault((index, size), CellMoments(len(trained)))
                    moments.add_seed(error_products(self._truth, best, part.longer[index, place], trained))
                key = index, penalties[index][place]
                other = population.penalised.get(key)
                if other is not None:
                    moments = self._penalised.setdefault((index, size), CellMoments(len(other)))
                    moments.add_seed(error_products(self._truth, best, other, other))
                    if key in population.slopes:
                        influence = _influence(self._truth, best, other, population.slopes[key])
                        self._influences[index, size] = self._influences.get((index, size), 0.0) + influence
        self._empirical.append(part.empirical)

    def outcomes(self) -> list[dict[int, CellOutcome]]:
        empirical = torch.stack(self._empirical)
        return [
            {size: self._outcome(index, size, empirical[:, index, place]) for place, size in enumerate(self._sizes)}
            for index in self._widths
        ]

    def _outcome(self, index: int, size: int, empirical: Float[Tensor, "s 2"]) -> CellOutcome:
        moments, penalised = self._moments[index, size], self._penalised.get((index, size))
        bias = None
        if penalised is not None and penalised.seeds == moments.seeds:
            influence, shared = self._influences.get((index, size)), 0.0
            if influence is not None and len(influence) > 1:
                shared = float((influence / moments.seeds).var(unbiased=True)) / self._shared_rows[index]
            # |f_m - f_{m,penalty}|^2: as a difference of risks it would carry the spread of 2 e (f_m - f_{m,penalty}).
            bias = penalised.estimate({BB: 1.0}, "monte_carlo", shared_variance=shared)
        longer = self._longer.get((index, size))
        return CellOutcome(moments, empirical[:, 0], empirical[:, 1], bias, longer, self._shared_rows[index])


def _influence(truth: Outputs, best: Outputs, penalised: Outputs, slope: Outputs) -> Float[Tensor, " i"]:
    """What a fresh point at x_i moves |f_m - f_p|^2 by, times their number, up to a constant: 2 (r df_p/dlog p - b e).

    e = f* - f_m, r = f* - f_p, b = f_p - f_m. In coefficients, G = E[phi phi^T]: a_m = G^-1 E[phi f*] moves by
    G^-1 phi e, a_p = (G + p)^-1 E[phi f*] by (G + p)^-1 (phi r - p a_p), and df_p/dlog p = -p phi^T (G + p)^-1 a_p.
    The variance over mu of this, divided by N, is that of the bias found on N points (delta method).
    """
    bias, residual = penalised - best, truth - best
    return 2 * ((truth - penalised) * slope - bias * residual).sum(dim=1)


def non_increasing(populations: Sequence[PopulationPart]) -> list[PopulationPart]:
    """f_m at ascending widths of spaces that contain one another: a width takes over a better one of a narrower.

    Better on the points that chose f_m, which are the same for all widths, so that R(f_m) does not rise with the width.
    """
    kept: list[PopulationPart] = []
    for part in populations:
        narrower = kept[-1] if kept else part
        kept.append(narrower if float(narrower.selection_risk) < float(part.selection_risk) else part)
    return kept
