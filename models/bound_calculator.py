"""The stateless calculator: numbers in, every bound that they determine out, with all its terms."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models import bound_formulas as formulas
from models.bound_formulas import Formula
from models.errors import refuse
from models.estimates import ExtendedFloat
from models.plain_numbers import PlainNumbers

Positive = Annotated[float, Field(ge=1e-12, le=1e12)]
NonNegative = Annotated[float, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
HeldOutCount = Annotated[int, Field(ge=1, le=10_000_000)]

BALL = "R(f) - R_n(f) <= 4 sqrt(M) R^(F_Q) + M sqrt(ln(pi^2 q^2/(6 delta))/(2n)), Q = q sqrt(M), q whole, "
HELD_OUT = ("held_out_size", "held_out_risk")
GIBBS = ("sample_size", "empirical_gibbs_risk", "divergence")
CLASS = ("sample_size", "complexity")
DEEP = ("sample_size", "input_dimension", "hidden_layers")

_TWO = "sup |R - R_n| <= 2 R + "
_ONE = "sup R - R_n <= 2 R + "
_ESTIMATE = ("sample_size", "input_dimension", "width", "barron_norm")


def _gap(name: str, needs: tuple[str, ...], statement: str, reference: str, terms: Any) -> Formula:
    return Formula(name, "generalization_gap", needs, BALL + statement, reference, terms, "loss_cap")


def _class(name: str, statement: str, reference: str, terms: Any) -> Formula:
    return Formula(name, "uniform_deviation", CLASS, statement, reference, terms, "loss_cap")


def _certificate(name: str, needs: tuple[str, ...], statement: str, reference: str, terms: Any) -> Formula:
    return Formula(name, "population_risk", needs, statement, reference, terms, "loss_cap")


FORMULAS: tuple[Formula, ...] = (
    _class("uniform_sharp", _ONE + "M sqrt(2 ln(1/delta)/n), R empirical", "bartlett2002rademacher",
           formulas.uniform("sharp", "one")),
    _class("uniform_sharp_two_sided", _TWO + "M sqrt(2 ln(2/delta)/n), R empirical", "bartlett2002rademacher",
           formulas.uniform("sharp", "two")),
    _class("uniform_textbook", _ONE + "3 M sqrt(ln(2/delta)/(2n)), R empirical", "mohri2018foundations",
           formulas.uniform("textbook", "one")),
    _class("uniform_textbook_two_sided", _TWO + "3 M sqrt(ln(3/delta)/(2n)), R empirical", "mohri2018foundations",
           formulas.uniform("textbook", "two")),
    _class("uniform_expected", _ONE + "M sqrt(ln(1/delta)/(2n)), R expected", "mohri2018foundations",
           formulas.uniform("expected", "one")),
    _class("uniform_expected_two_sided", _TWO + "M sqrt(ln(2/delta)/(2n)), R expected", "mohri2018foundations",
           formulas.uniform("expected", "two")),
    Formula("uniform_lower_expected", "uniform_deviation", CLASS,
            "sup |R - R_n| >= R/2 - M/(4 sqrt(n)) - M sqrt(ln(1/delta)/(2n)), R expected", "bartlett2002rademacher",
            formulas.uniform_lower(1.0), 0.0, side="lower"),
    Formula("uniform_lower_empirical", "uniform_deviation", CLASS,
            "sup |R - R_n| >= R/2 - M/(4 sqrt(n)) - 1.25 M sqrt(ln(1/delta)/(2n)), R empirical",
            "bartlett2002rademacher", formulas.uniform_lower(1.25), 0.0, side="lower"),
    _gap("path_norm_ball", ("sample_size", "input_dimension", "path_norm"),
         "R^(F_Q) <= 1.5 Q C sqrt(2 ln(2D)/n)", "ma2019priori", formulas.ball("path_norm", formulas.path_norm_unit)),
    _gap("rkhs_ball", ("sample_size", "rkhs_norm", "kernel_sup"),
         "R^(F_Q) <= Q sqrt(sup k(x,x)/n)", "bartlett2002rademacher",
         formulas.ball("rkhs_norm", lambda x: math.sqrt(x["kernel_sup"] / x["sample_size"]))),
    _gap("l1_ball", ("sample_size", "l1_norm", "features"),
         "R^(F_Q) <= Q C sqrt(2 ln(2m)/n)", "mohri2018foundations",
         formulas.ball("l1_norm", lambda x: formulas.massart(
             x["input_sup_bound"], int(x["features"]), int(x["sample_size"])))),
    _gap("group_norm_ball", (*DEEP, "path_norm"), "R^(F_Q) <= 1.5 2^{L-1} Q C sqrt(2 ln(2D)/n)",
         "neyshabur2015norm", formulas.ball("path_norm", formulas.group_norm_unit)),
    _gap("size_independent_l1_ball", (*DEEP, "path_norm"), "R^(F_Q) <= Q C sqrt(2 (L ln 2 + ln(2D))/n)",
         "golowich2018size", formulas.ball("path_norm", formulas.deep_l1_unit)),
    _gap("size_independent_frobenius_ball", (*DEEP, "frobenius_product"),
         "R^(F_Q) <= Q (sqrt(2 L ln 2) + 1) sqrt((d C^2 + 1)/n)", "golowich2018size",
         formulas.ball("frobenius_product", formulas.frobenius_unit)),
    _gap("weighted_path_norm_ball", ("sample_size", "input_dimension", "weighted_path_norm"),
         "R^(F_Q) <= 3 Q C sqrt(2 ln(2D)/n)", "e2019residual",
         formulas.ball("weighted_path_norm", formulas.residual_unit)),
    Formula("lipschitz_ball", "generalization_gap", ("sample_size", "input_dimension", "lipschitz_constant"),
            "R(f) - R_n(f) <= 4 sqrt(M) R^ + M sqrt(ln(1/delta)/(2n)), R^ chained over dyadic cells: n^{-1/d}",
            "e2022mathematical", formulas.lipschitz_terms, "loss_cap"),
    Formula("a_posteriori_estimate", "generalization_gap", ("sample_size", "input_dimension", "path_norm"),
            "|L - L_n| <= 4 sqrt(2 ln(2D)/n)(P + 1) + (1/2) sqrt(2 ln(2c(1 + P)^2/delta)/n), L half the squared loss",
            "ma2019priori", formulas.a_posteriori_published, 0.5, unit_range=True),
    Formula("a_priori_estimate_published", "population_risk", _ESTIMATE,
            "L <= 3 g^2/m + 4 l g + (1/2) sqrt(2 ln(8 c g^2/delta)/n) + (1/2) sqrt(2 ln(2 c T^2/delta)/n), L half the "
            "squared loss, T = 3 g^2/(m l) + 4 g + sqrt(2 ln(8 c g^2/delta)/n)/(2 l), for the minimiser, l >= 4 "
            "sqrt(2 ln(2D)/n), g >= 1/2",
            "ma2019priori", formulas.a_priori_published, 0.5, unit_range=True,
            penalty_factor=formulas.PUBLISHED_FACTOR),
    Formula("a_priori_estimate", "population_risk", _ESTIMATE,
            "R <= 3 g^2/m + 2 l g + l_n + sqrt(ln(2/delta)/(2n)) + Delta(1/l + 2g + e/l) + e, l >= l_n = 6 sqrt(2 "
            "ln(2D)/n), Delta(t) = sqrt(ln(pi^2 (t + 1)^2/(3 delta))/(2n)), J_n(f^) <= J_n(f~) + e",
            "ma2019priori", formulas.a_priori_explicit, 1.0, unit_range=True,
            penalty_factor=formulas.EXPLICIT_FACTOR),
    Formula("barron_approximation", "approximation_error", ("width", "barron_norm"),
            "inf E|f_m - f*|^2 <= (g C)^2/m, with path norm at most g", "e2022barron",
            lambda x: {"approximation": (x["barron_norm"] * max(1.0, x["input_sup_bound"])) ** 2 / x["width"]},
            math.inf),
    Formula("random_feature_approximation", "approximation_error", ("width", "coefficient_sup"),
            "inf E|f_m - f|^2 <= (C/sqrt(m))^2 (1 + sqrt(2 ln(1/delta)))^2 for f = E a phi(.;w), |a| <= C, |phi| <= 1",
            "rahimi2008random", formulas.random_feature_terms, math.inf),
    Formula("barron_norm_from_spectrum", "barron_norm", ("spectral_norm", "gradient_at_zero_l1", "value_at_zero"),
            "||f||_B <= 3 C_f + |grad f(0)|_1 + |f(0)| on [0,1]^d, C_f = int |w|_1^2 |f^(w)| dw, f = int f^ e^{iwx} dw",
            "klusowski2016risk",
            lambda x: {"spectrum": 3 * x["spectral_norm"], "affine": x["gradient_at_zero_l1"] + x["value_at_zero"]},
            math.inf),
    _certificate("held_out_hoeffding", HELD_OUT, "R <= R_n + M sqrt(ln(1/delta)/(2n))", "hoeffding1963probability",
                 formulas.held_out(formulas.hoeffding)),
    _certificate("held_out_kl_chernoff", HELD_OUT, "R <= M kl^{-1}(R_n/M, ln(1/delta)/n)", "hoeffding1963probability",
                 formulas.held_out(formulas.kl_chernoff)),
    _certificate("held_out_hoeffding_bentkus", HELD_OUT,
                 "R <= M sup{ p : min(e^{-n kl(R_n/M || p)}, e P(Bin(n, p) <= ceil(n R_n/M))) >= delta }",
                 "bates2021distribution", formulas.held_out(formulas.hoeffding_bentkus)),
    _certificate("held_out_empirical_bernstein", (*HELD_OUT, "held_out_variance"),
                 "R <= R_n + sqrt(2 V ln(2/delta)/n) + 7 M ln(2/delta)/(3(n-1))", "maurer2009empirical",
                 formulas.held_out(formulas.empirical_bernstein)),
    Formula("held_out_clopper_pearson", "error_probability", ("held_out_size", "mistakes"),
            "P(wrong class) <= sup{ p : P(Bin(n, p) <= k) >= delta }", "clopper1934use",
            formulas.clopper_pearson_terms, 1.0),
    Formula("pac_bayes_kl", "randomized_risk", GIBBS, "kl(R_n(Q)/M || R(Q)/M) <= (KL + ln(2 sqrt(n)/delta))/n",
            "maurer2004note", formulas.gibbs("kl"), "loss_cap"),
    Formula("pac_bayes_quadratic", "randomized_risk", GIBBS,
            "R(Q)/M <= (sqrt(R_n(Q)/M + k) + sqrt(k))^2, k = (KL + ln(2 sqrt(n)/delta))/(2n)", "perezortiz2021tighter",
            formulas.gibbs("quadratic"), "loss_cap"),
    Formula("pac_bayes_lambda", "randomized_risk", GIBBS,
            "R(Q)/M <= min over l in (0,2) of R_n(Q)/(M (1 - l/2)) + (KL + ln(2 sqrt(n)/delta))/(n l (1 - l/2))",
            "perezortiz2021tighter", formulas.gibbs("lambda"), "loss_cap"),
)  # fmt: skip

BY_NAME = {formula.name: formula for formula in FORMULAS}


class BoundInputs(PlainNumbers):
    """What is known. Every formula whose inputs are given is evaluated; `formulas` asks for some by name.

    Norms and risks are in label units (risks in label units squared); `input_sup_bound` C bounds ||x||_inf.
    """

    formulas: Annotated[
        tuple[str, ...] | None, Field(max_length=64, description="Names; null: all that the inputs determine.")
    ] = None
    delta: Annotated[float, Field(gt=0, lt=1, description="Failure probability of each bound.")] = 0.05
    loss_cap: Annotated[Positive, Field(description="M: losses lie in [0, M].")] = 1.0
    input_sup_bound: Annotated[Positive, Field(description="C, or the bound of every feature for l1_ball.")] = 1.0
    optimization_epsilon: Annotated[NonNegative, Field(description="e: J_n(f^) - J_n(f~), if positive.")] = 0.0
    sample_size: Annotated[Count | None, Field(description="n, training rows.")] = None
    input_dimension: Annotated[Count | None, Field(description="d; the bias makes D = d + 1.")] = None
    width: Annotated[Count | None, Field(description="m.")] = None
    hidden_layers: Annotated[int | None, Field(ge=1, le=500, description="L.")] = None
    features: Annotated[Count | None, Field(description="m of a linear space.")] = None
    complexity: Annotated[NonNegative | None, Field(description="R, of the class of losses.")] = None
    path_norm: Annotated[NonNegative | None, Field(description="P.")] = None
    weighted_path_norm: NonNegative | None = None
    frobenius_product: NonNegative | None = None
    lipschitz_constant: Annotated[NonNegative | None, Field(description="With respect to ||.||_inf.")] = None
    rkhs_norm: NonNegative | None = None
    kernel_sup: Annotated[Positive | None, Field(description="sup k(x,x).")] = None
    l1_norm: NonNegative | None = None
    barron_norm: Annotated[NonNegative | None, Field(description="g, an upper bound of ||f*||_B.")] = None
    penalty: Annotated[Positive | None, Field(description="l of J_n; null: the least that the theorem allows.")] = None
    coefficient_sup: Annotated[NonNegative | None, Field(description="sup |a(w)| of random features.")] = None
    spectral_norm: Annotated[NonNegative | None, Field(description="C_f.")] = None
    gradient_at_zero_l1: NonNegative | None = None
    value_at_zero: Annotated[NonNegative | None, Field(description="|f(0)|.")] = None
    held_out_size: Annotated[HeldOutCount | None, Field(description="Rows of the held-out sample.")] = None
    held_out_risk: Annotated[NonNegative | None, Field(description="Mean held-out loss, at most M.")] = None
    held_out_variance: Annotated[NonNegative | None, Field(description="Unbiased variance of these losses.")] = None
    mistakes: Annotated[int | None, Field(ge=0, le=10_000_000, description="Held-out rows of wrong class.")] = None
    empirical_gibbs_risk: Annotated[NonNegative | None, Field(description="R_n(Q), at most M.")] = None
    divergence: Annotated[NonNegative | None, Field(description="KL(Q || P) in nats.")] = None

    @model_validator(mode="after")
    def _fit_together(self) -> "BoundInputs":
        for name in ("held_out_risk", "empirical_gibbs_risk"):
            value = getattr(self, name)
            if value is not None and value > self.loss_cap:
                refuse(f"/{name}", f"A mean of losses in [0, M] is at most M = {self.loss_cap:g}.")
        if self.mistakes is not None and self.held_out_size is not None and self.mistakes > self.held_out_size:
            refuse("/mistakes", f"There are {self.held_out_size} held-out rows.")
        for index, name in enumerate(self.formulas or ()):
            if name not in BY_NAME:
                refuse(f"/formulas/{index}", f"There is no such formula; there are {', '.join(BY_NAME)}.")
            missing = missing_inputs(BY_NAME[name], self)
            if missing:
                refuse(f"/{missing[0]}", f"{name} needs {', '.join(missing)}.")
            if BY_NAME[name].unit_range and not self._in_unit_range:
                refuse("/loss_cap", f"{name} is for labels in [0,1] and inputs in [-1,1]^d: M = 1 and C = 1.")
            if not self._penalty_suffices(BY_NAME[name]):
                refuse("/penalty", f"{name} holds from the penalty {self._least_penalty(BY_NAME[name]):.4g} on.")
        return self

    def _penalty_suffices(self, formula: Formula) -> bool:
        return self.penalty is None or self.penalty >= self._least_penalty(formula)

    def _least_penalty(self, formula: Formula) -> float:
        if formula.penalty_factor is None or self.input_dimension is None or self.sample_size is None:
            return 0.0
        return formulas.least_penalty(formula.penalty_factor, self.input_dimension, self.sample_size)

    @property
    def _in_unit_range(self) -> bool:
        return self.loss_cap == 1 and self.input_sup_bound <= 1

    def chosen(self) -> tuple[Formula, ...]:
        """The formulas to evaluate."""
        if self.formulas is not None:
            return tuple(BY_NAME[name] for name in self.formulas)
        return tuple(
            formula
            for formula in FORMULAS
            if not missing_inputs(formula, self)
            and (self._in_unit_range or not formula.unit_range)
            and self._penalty_suffices(formula)
        )


class FormulaResult(BaseModel):
    """One bound; its terms add up to the value, and `vacuous` compares it with `trivial_value`."""

    model_config = ConfigDict(frozen=True)

    formula: str
    bounds: str
    side: Literal["upper", "lower"]
    delta: float
    value: ExtendedFloat
    terms: dict[str, ExtendedFloat]
    inputs: dict[str, ExtendedFloat]
    trivial_value: ExtendedFloat
    vacuous: bool
    statement: str
    reference: str


def missing_inputs(formula: Formula, given: BoundInputs) -> list[str]:
    """The inputs that the formula reads and that were not given."""
    return [name for name in formula.needs if getattr(given, name) is None]


def evaluate_formulas(given: BoundInputs) -> tuple[FormulaResult, ...]:
    """Every chosen formula, each at `delta`."""
    return tuple(_evaluated(formula, given) for formula in given.chosen())


SHARED = ("delta", "loss_cap", "input_sup_bound", "optimization_epsilon", "penalty")


def _evaluated(formula: Formula, given: BoundInputs) -> FormulaResult:
    numbers = {
        name: float(getattr(given, name)) for name in (*SHARED, *formula.needs) if getattr(given, name) is not None
    }
    terms = formula.terms(numbers)
    value = sum(terms.values())
    trivial = numbers[formula.trivial] if isinstance(formula.trivial, str) else formula.trivial
    return FormulaResult(
        formula=formula.name,
        bounds=formula.bounds,
        side=formula.side,
        delta=given.delta,
        value=value,
        terms=terms,
        inputs=numbers,
        trivial_value=trivial,
        vacuous=value >= trivial if formula.side == "upper" else value <= trivial,
        statement=formula.statement,
        reference=formula.reference,
    )
