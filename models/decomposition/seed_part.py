"""What the work on one seed, and the search for f_m, leave behind: plain tensors, so that any process may do it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Parameters

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class PopulationPart:
    """f_m of each width at the test inputs, and the minimisers of R(f) + penalty |a|^2 by width and penalty.

    `selection_risk`: R(f_m) - noise on the points that chose f_m among its candidates; NaN for a projection.
    `rows`: N, the fresh points of a projection, else inf. `leverage`: l(x_i)/N at the test inputs, 0 where f_m is no
    projection: by E[l e^2]/N, e = f* - f_m, comes R(f_m) - R(f*) out too large. `slopes`: d/dlog penalty of
    `penalised`, of a few or of all.
    """

    best: Float[Tensor, "w i k"]
    penalised: dict[tuple[int, float], Float[Tensor, "i k"]]
    selection_risk: Float[Tensor, " w"]
    rows: Float[Tensor, " w"]
    leverage: Float[Tensor, "w i"]
    slopes: dict[tuple[int, float], Float[Tensor, "i k"]] = field(default_factory=dict)

    @classmethod
    def searched(cls, best: Float[Tensor, "w i k"], selection_risk: Float[Tensor, " w"]) -> "PopulationPart":
        """Functions that are the best of candidates, and no projections."""
        return cls(best, {}, selection_risk, torch.full_like(selection_risk, math.inf), torch.zeros_like(best[..., 0]))

    def tensors(self) -> dict[str, Tensor]:
        """For a file."""
        keys = sorted(self.penalised)
        sloping = [key for key in keys if key in self.slopes]
        return {
            "best": self.best,
            "selection_risk": self.selection_risk,
            "rows": self.rows,
            "leverage": self.leverage,
            "sloping": torch.tensor([key in self.slopes for key in keys], dtype=torch.bool),
            "slopes": torch.stack([self.slopes[key] for key in sloping]) if sloping else self.best[:0],
            "penalised_widths": torch.tensor([width for width, _ in keys], dtype=torch.int64),
            "penalties": torch.tensor([penalty for _, penalty in keys], dtype=torch.float64),
            "penalised": torch.stack([self.penalised[key] for key in keys]) if keys else self.best[:0],
        }

    @classmethod
    def of(cls, stored: Tensors) -> "PopulationPart":
        """From `tensors`."""
        keys = list(zip(stored["penalised_widths"].tolist(), stored["penalties"].tolist(), strict=True))
        penalised = dict(zip(keys, stored["penalised"], strict=True))
        sloping = [key for key, has in zip(keys, stored["sloping"].tolist(), strict=True) if has]
        slopes = dict(zip(sloping, stored["slopes"], strict=True))
        rows, leverage = stored["rows"], stored["leverage"]
        return cls(stored["best"], penalised, stored["selection_risk"], rows, leverage, slopes)


@dataclass(frozen=True)
class SeedPart:
    """The functions of one seed on its samples, by width w and sample size j of the group that found them.

    `best_on_sample`, `trained`: f~ and f^ at the test inputs, float64. `empirical[w, j]`: R_n(f^) and R_n(f~).
    `longer`: what twice the steps of f^ reach, where a formula gives it.
    `penalties[w, j]`: the penalty on |a|^2 behind f^, NaN where the learner named none above 0.
    `population`: f_m where the seed's draw defines the space. `functions`: f~ and f^ of each sample size, in turn,
    where the search for f_m begins at them.
    """

    best_on_sample: Float[Tensor, "w j i k"]
    trained: Float[Tensor, "w j i k"]
    empirical: Float[Tensor, "w j 2"]
    penalties: Float[Tensor, "w j"]
    population: PopulationPart | None = None
    functions: Sequence[Parameters] = ()
    longer: Float[Tensor, "w j i k"] | None = None

    def penalties_by_width(self) -> dict[int, set[float]]:
        """The penalties that are not NaN."""
        found: dict[int, set[float]] = {}
        for width, row in enumerate(self.penalties.tolist()):
            named = {penalty for penalty in row if not math.isnan(penalty)}
            if named:
                found[width] = named
        return found

    def tensors(self) -> dict[str, Tensor]:
        """For a file."""
        found = {
            "best_on_sample": self.best_on_sample,
            "trained": self.trained,
            "empirical": self.empirical,
            "behind": self.penalties,
        }
        if self.longer is not None:
            found["longer"] = self.longer
        if self.population is not None:
            found |= {f"population/{name}": value for name, value in self.population.tensors().items()}
        for index, parameters in enumerate(self.functions):
            found |= {f"functions/{index}/{name}": value for name, value in parameters.items()}
        return found

    @classmethod
    def of(cls, stored: Tensors) -> "SeedPart":
        """From `tensors`."""
        population = _below("population", stored)
        functions: list[Parameters] = []
        while parameters := _below(f"functions/{len(functions)}", stored):
            functions.append(parameters)
        return cls(
            stored["best_on_sample"],
            stored["trained"],
            stored["empirical"],
            stored["behind"],
            PopulationPart.of(population) if population else None,
            functions,
            stored.get("longer"),
        )


def _below(prefix: str, stored: Tensors) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): value for name, value in stored.items() if name.startswith(start)}
