"""A risk along one axis of a grid, n or m, continued beyond it: several forms, averaged, with their disagreement.

Forms c + a u(x; b) with a, c >= 0, or a u(x; b) where nothing stays, are fitted by weighted least squares to every
draw of the risks at the same places and averaged with weights exp(-chi^2/2 - p), p the number of parameters (Akaike).
Each draw picks one form by its weight, so that the spread of the draws holds the disagreement, too. Where even the best
form misses the risks by more than their errors, all errors are enlarged until it does not (Birge's ratio).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.decomposition.intervals import Draws
from models.decomposition.learning_curve import SMALLEST, affine_fit
from models.randomness import Randomness

FEWEST_PLACES = 3
"""Two parameters and a check need three places."""
STALLING = 4
RELATIVE_FLOOR = 1e-6
EXPONENTS = torch.linspace(0.1, 2.0, 39, dtype=torch.float64)
STEEP = torch.linspace(0.2, 6.0, 30, dtype=torch.float64)
ONCE = torch.ones(1, dtype=torch.float64)


@dataclass(frozen=True)
class Form:
    """u(x; b), b over `exponents` (one of them: not fitted), and the number of parameters; `vanishing`: c = 0."""

    basis: Callable[[Tensor, Tensor], Tensor]
    exponents: Float[Tensor, " e"]
    parameters: int
    vanishing: bool = False


def decays(coefficients: int | None = None) -> tuple[Form, ...]:
    """x^(-b) and 1/x; 1/(n - m), too, the law of least squares with m `coefficients` (Hastie et al., 2022)."""
    forms = (Form(lambda x, b: x**-b, EXPONENTS, 3), Form(lambda x, _: 1 / x, ONCE, 2))
    if coefficients is None:
        return forms
    return (*forms, Form(lambda x, _: 1 / (x - coefficients).clamp(min=1.0), ONCE, 2))


def vanishing_decays(coefficients: int | None) -> tuple[Form, ...]:
    """Those of `decays` without a floor: what least squares errs more than the best of its space."""
    return tuple(replace(form, parameters=form.parameters - 1, vanishing=True) for form in decays(coefficients))


def late_decays(first: int) -> tuple[Form, ...]:
    """Those and (x + 4 x_1)^(-b), x_1 the `first` place: slow at first, then steeper than what was seen so far.

    So does approximation fall with the width where the target is smooth; straight lines in logarithms then overrate
    the risk beyond the grid. What falls like e^(-x) is still overrated.
    """
    return (*decays(), Form(lambda x, b: (1 + x / (4 * first)) ** -b, STEEP, 3))


def growths(sample_size: int | None = None) -> tuple[Form, ...]:
    """x^b and x; x/(n - x - 1), too, the law of least squares on n = `sample_size` rows (Belkin, Hsu and Xu, 2020)."""
    forms = (Form(lambda x, b: x**b, EXPONENTS, 3), Form(lambda x, _: x, ONCE, 2))
    if sample_size is None:
        return forms
    return (*forms, Form(lambda x, _: x / (sample_size - x - 1).clamp(min=1.0), ONCE, 2))


@dataclass(frozen=True)
class RiskCurve:
    """Fitted forms: row 0 is the data's, the others are draws; row 0 is the average of the forms by `weights`.

    `stalled`: draws that stay, beyond the last place, at the risk that they have there.
    """

    forms: tuple[Form, ...]
    floors: Float[Tensor, "draws forms"]
    factors: Float[Tensor, "draws forms"]
    exponents: Float[Tensor, "draws forms"]
    weights: Float[Tensor, " forms"]
    chosen: Tensor
    last_place: int
    stalled: Tensor

    def at(self, place: int) -> Draws:
        """The risk at x = place, draw by draw."""
        found = self._at(place)
        return torch.where(self.stalled, self._at(self.last_place), found) if place > self.last_place else found

    def _at(self, place: int) -> Draws:
        x = torch.tensor(place, dtype=torch.float64)
        bases = [form.basis(x, self.exponents[:, k]) for k, form in enumerate(self.forms)]
        shapes = torch.stack([basis.expand(len(self.exponents)) for basis in bases], dim=1)
        return self._picked(self.floors + self.factors * shapes)

    def limit(self) -> Draws:
        """c, where the forms decay."""
        return self._picked(self.floors)

    def _picked(self, values: Float[Tensor, "draws forms"]) -> Draws:
        return torch.cat([(self.weights * values[0]).sum()[None], values[1:].gather(1, self.chosen)[:, 0]])


def fit_curve(
    places: Sequence[int],
    risks: Float[Tensor, "draws places"],
    forms: tuple[Form, ...],
    randomness: Randomness,
    may_stall: bool = False,
) -> RiskCurve:
    """The forms through the risks at three places or more. Random streams: `forms`, `stalled`.

    `may_stall`: a risk that falls ever more steeply follows no power law, and where that ends the places do not tell:
    smooth features fit the smooth part of a target and then win little. One draw in STALLING then stays where the
    last place is, so that an interval of 95 % about reaches it.
    """
    x = torch.tensor(places, dtype=torch.float64)
    spread = _smooth_errors(risks)
    fits = [_fit(form, x, risks, spread) for form in forms]
    freedom = torch.tensor([max(len(places) - form.parameters, 1) for form in forms])
    misfit = float((torch.stack([scores[0] for *_, scores in fits]) / freedom).min())
    if misfit > 1:
        spread = spread * misfit**0.5
        fits = [_fit(form, x, risks[0] + (risks - risks[0]) * misfit**0.5, spread) for form in forms]
    floors, factors, exponents, scores = (torch.stack(column, dim=1) for column in zip(*fits, strict=True))
    penalties = torch.tensor([form.parameters for form in forms])
    weights = torch.softmax(-scores / 2 - penalties, dim=1)
    chosen = torch.multinomial(weights[1:], 1, generator=randomness.generator("forms"))
    stalled = torch.zeros(len(risks), dtype=torch.bool)
    if may_stall and _steepens(x, risks[0]):
        stalled[1:] = torch.rand(len(risks) - 1, generator=randomness.generator("stalled")) < 1 / STALLING
    return RiskCurve(forms, floors, factors, exponents, weights[0], chosen, places[-1], stalled)


def _steepens(x: Float[Tensor, " places"], risks: Float[Tensor, " places"]) -> bool:
    """Whether the last two of the local exponents grow."""
    exponents = -risks.clamp(min=1e-300).log().diff() / x.log().diff()
    return float(exponents[-1]) > float(exponents[-2])


def _smooth_errors(risks: Float[Tensor, "draws places"]) -> Float[Tensor, " places"]:
    """Half of each place's own variance, half of what the mean relative error gives: few seeds tell each one badly."""
    own, size = risks[1:].std(dim=0), risks[0].abs()
    floor = RELATIVE_FLOOR * float(size.max().clamp(min=SMALLEST))
    relative = float(((own / size.clamp(min=floor)) ** 2).mean())
    return ((own**2 + relative * size**2) / 2).sqrt().clamp(min=floor)


def _fit(
    form: Form, x: Float[Tensor, " places"], risks: Float[Tensor, "draws places"], spread: Float[Tensor, " places"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """c, a, b and chi^2 of every draw."""
    fit = _scaled_fit if form.vanishing else affine_fit
    fits = [fit(form.basis(x, exponent), risks, spread) for exponent in form.exponents]
    floors, factors, scores = (torch.stack([found[k] for found in fits]) for k in range(3))
    best = scores.argmin(dim=0, keepdim=True)
    chosen = [values.gather(0, best)[0] for values in (floors, factors, scores)]
    return chosen[0], chosen[1], form.exponents[best[0]], chosen[2]


def _scaled_fit(
    decay: Float[Tensor, " places"], risks: Float[Tensor, "draws places"], spread: Float[Tensor, " places"]
) -> tuple[Tensor, Tensor, Tensor]:
    """As affine_fit, with c = 0."""
    weight = spread**-2
    factors = ((risks @ (weight * decay)) / (weight * decay**2).sum()).clamp(min=0)
    residual = (risks - factors[:, None] * decay) / spread
    return torch.zeros_like(factors), factors, (residual**2).sum(dim=1)
