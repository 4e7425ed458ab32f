"""From the functions of every seed at the test inputs to the moments of each cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.setting import DecompositionSetting
from models.decomposition.terms import AA, SAMPLE, CellMoments, error_products
from models.estimates import Estimate


@dataclass(frozen=True)
class CellOutcome:
    """What one cell leaves: the moments on test points, and of each seed R_n(f^) and R_n(f~), noise included.

    `regularization_bias`: R(f_{m,penalty}) - R(f_m) of a penalised learner, where it was found.
    `longer`: the moments with twice the steps of f^ in place of f~, where these were found.
    """

    moments: CellMoments
    trained_empirical: Float[Tensor, " s"]
    best_on_sample_empirical: Float[Tensor, " s"]
    regularization_bias: Estimate | None = None
    longer: CellMoments | None = None


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
        self._empirical: list[Tensor] = []

    def add_seed(self, part: SeedPart, population: PopulationPart) -> None:
        penalties = part.penalties.tolist()
        for index in self._widths:
            best = population.best[index]
            for place, size in enumerate(self._sizes):
                on_sample, trained = part.best_on_sample[index, place], part.trained[index, place]
                self._moments[index, size].add_seed(error_products(self._truth, best, on_sample, trained))
                if part.longer is not None:
                    moments = self._longer.setdefault((index, size), CellMoments(len(trained)))
                    moments.add_seed(error_products(self._truth, best, part.longer[index, place], trained))
                other = population.penalised.get((index, penalties[index][place]))
                if other is not None:
                    # With the penalised minimiser in place of f~, the sample's column is its squared distance from f*.
                    moments = self._penalised.setdefault((index, size), CellMoments(len(other)))
                    moments.add_seed(error_products(self._truth, best, other, other))
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
            bias = penalised.estimate({SAMPLE: 1.0, AA: -1.0}, "monte_carlo")
        longer = self._longer.get((index, size))
        return CellOutcome(moments, empirical[:, 0], empirical[:, 1], bias, longer)


def non_increasing(populations: Sequence[PopulationPart]) -> list[PopulationPart]:
    """f_m at ascending widths of spaces that contain one another: a width takes over a better one of a narrower.

    Better on the points that chose f_m, which are the same for all widths, so that R(f_m) does not rise with the width.
    """
    kept: list[PopulationPart] = []
    for part in populations:
        narrower = kept[-1] if kept else part
        kept.append(narrower if float(narrower.selection_risk) < float(part.selection_risk) else part)
    return kept
