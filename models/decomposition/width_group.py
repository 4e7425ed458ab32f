"""The functions of one space at one width: f~ and f^ of one seed at every sample size, and f_m."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.arrays import Inputs, Outputs, Parameters
from models.decomposition.best_approximation import (
    best_in_space,
    best_on_sample,
    least_squares_on_samples,
    projection_and_probes,
    selection_risk,
)
from models.decomposition.closed_forms import longer_descent
from models.decomposition.draws import draw, with_frozen
from models.decomposition.reference_training import mean_squared_error
from models.decomposition.seed_part import PopulationPart, SeedPart
from models.decomposition.setting import DecompositionSetting, Polls
from models.hypothesis_spaces.base import HypothesisSpace, LinearSpace
from models.learners.base import Learner
from models.learning import learn
from models.randomness import Randomness
from models.risks import predictions


@dataclass(frozen=True)
class WidthGroup:
    """One space at one width, with its learner.

    Where the space freezes parameters at a random draw, all three functions of a seed share them and f_m belongs to
    the seed; otherwise the space is one and f_m is found once.
    """

    space: HypothesisSpace
    learner: Learner

    @property
    def spaces(self) -> tuple[HypothesisSpace, ...]:
        """The one."""
        return (self.space,)

    def find(self, setting: DecompositionSetting, randomness: Randomness, polls: Polls) -> SeedPart:
        """f~ and f^ of the seed, and its f_m where it has its own.

        Raises:
            TrainingDiverged: from the learner.
            AssumptionFailed: the learner changed a parameter that the space freezes.
            Stopped: from a poll.
        """
        space, sizes = self.space, setting.sample_sizes
        sample = setting.population.training_sample(max(sizes), randomness)
        drawn = draw(space, setting, randomness.child("draw"))
        precision = next(iter(drawn.values())).dtype
        minimisers: dict[int, Parameters] = {}
        if isinstance(space, LinearSpace):
            minimisers = least_squares_on_samples(space, drawn, sample, sizes)
        functions: list[Parameters] = []
        longer: list[Parameters] = []
        for size in sizes:
            rows = sample.first(size)
            model, fitted = learn(
                space,
                self.learner,
                rows,
                randomness.child("learning"),
                polls.training,
                scale_by_default=False,
                dtype=precision,
                device=setting.device,
                start=drawn,
            )
            learned = with_frozen(space, drawn, {n: v.to(setting.device) for n, v in model.parameters.items()})
            if size not in minimisers:
                starts = _restarts(space, setting, drawn, randomness)
                streams = randomness.child("best_on_sample")
                minimisers[size] = best_on_sample(
                    space, rows, starts, learned, setting.budget, streams, polls.reference
                )
            functions += [minimisers[size], learned]
            if isinstance(space, LinearSpace):
                reached = longer_descent(space, self.learner, drawn, rows, fitted.details.get("step_size"))
                longer += [] if reached is None else [reached]
            polls.unit_done()
        own = self._own_best(drawn)
        outputs = torch.stack(list(_outputs(space, functions, setting)))[None]
        empirical = [
            [mean_squared_error(space, one, sample.first(size)) for one in (functions[2 * j + 1], functions[2 * j])]
            for j, size in enumerate(sizes)
        ]
        return SeedPart(
            best_on_sample=outputs[:, 0::2],
            trained=outputs[:, 1::2],
            empirical=torch.tensor([empirical], dtype=torch.float64),
            penalties=torch.full((1, len(sizes)), torch.nan, dtype=torch.float64),
            population=self._best(setting, drawn, functions, randomness, polls) if own else None,
            longer=torch.stack(list(_outputs(space, longer, setting)))[None] if longer else None,
            functions=() if own or space.linear else functions,
        )

    def best(self, setting: DecompositionSetting, parts: Sequence[SeedPart], polls: Polls) -> PopulationPart:
        """f_m where it belongs to no seed, its search beginning at the functions of all `parts` too.

        Raises:
            Stopped: from a poll.
        """
        drawn = draw(self.space, setting, setting.seeds[0].child("draw"))
        functions = [
            {name: value.to(setting.device) for name, value in one.items()} for part in parts for one in part.functions
        ]
        return self._best(setting, drawn, functions, setting.shared, polls)

    def _own_best(self, drawn: Parameters) -> bool:
        return self.space.random and any(name not in self.space.trainable for name in drawn)

    def _best(
        self,
        setting: DecompositionSetting,
        drawn: Parameters,
        functions: Sequence[Parameters],
        randomness: Randomness,
        polls: Polls,
    ) -> PopulationPart:
        space, streams = self.space, randomness.child("best_in_space")
        if isinstance(space, LinearSpace):
            features = drawn["coefficients"].shape[0]
            rows = max(setting.budget.projection_floor, setting.budget.projection_rows * features)
            found, probes = projection_and_probes(space, drawn, setting.population, rows, streams, polls.reference)
            outputs, signs = _outputs(space, [found, probes], setting)
            leverage = (signs**2).mean(dim=1)
            risk, of = (torch.tensor([value], dtype=torch.float64) for value in (torch.nan, rows))
            return PopulationPart(outputs[None], {}, risk, of, leverage[None])
        starts = _restarts(space, setting, drawn, streams)
        found = best_in_space(space, setting.population, starts, functions, setting.budget, streams, polls.reference)
        chosen_by = selection_risk(space, setting.population, found, setting.budget, streams)
        (outputs,) = _outputs(space, [found], setting)
        return PopulationPart.searched(outputs[None], torch.tensor([chosen_by], dtype=torch.float64))


def _outputs(
    space: HypothesisSpace, functions: Sequence[Parameters], setting: DecompositionSetting
) -> Sequence[Outputs]:
    """f(x_i) of each function at the test inputs, float64 on the CPU; a linear space's features are computed once."""
    precision = next(iter(functions[0].values()))

    def evaluate(inputs: Inputs) -> Float[Tensor, "n f"]:
        placed = inputs.to(precision)
        if isinstance(space, LinearSpace):
            coefficients = torch.cat([parameters["coefficients"] for parameters in functions], dim=1)
            return (space.features(functions[0], placed) @ coefficients).double().cpu()
        return torch.cat([space.evaluate(parameters, placed) for parameters in functions], dim=1).double().cpu()

    columns = [setting.output_dimension] * len(functions)
    if isinstance(space, LinearSpace):
        columns = [parameters["coefficients"].shape[1] for parameters in functions]
    return predictions(evaluate, setting.test_inputs).split(columns, dim=1)


def _restarts(
    space: HypothesisSpace, setting: DecompositionSetting, drawn: Parameters, randomness: Randomness
) -> list[Parameters]:
    """Draws of their own for the trainable parameters; the frozen ones are those of `drawn`."""
    frozen = {name: value for name, value in drawn.items() if name not in space.trainable}
    return [
        {**draw(space, setting, randomness.child(f"restart_{index}")), **frozen}
        for index in range(setting.budget.restarts)
    ]
