"""Upper end of the target's norm in a kernel's space, beside the norm of the learned model in its own."""

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from models.assumptions import Assumption, standing
from models.bounds._known_target import TARGET, model_norm, rkhs_norm_bound
from models.bounds.base import Bound, BoundReport, BoundSubject, BoundTerm
from models.kernels import KernelName

IN_SPACE = Assumption(
    name="rkhs_norm_known", text="f* is in the kernel's space; an upper bound of its norm there is known."
)


class RkhsNormUpper(Bound):
    """||f*||_k for a kernel of `kernel_ridge` at its default bandwidth, from what is known of the target; certain.

    Exact for the Gaussian kernel; for the arc-cosine kernel the norm of one representation. Where the model is linear,
    |a|_2 in the coordinates of its own kernel stands among the inputs: of phi.phi', or of k itself for kernel_ridge.
    """

    kind: Literal["rkhs_norm_upper"]
    certain: ClassVar[bool] = True
    kernel: Annotated[KernelName, Field(description="k, at the bandwidth sqrt(d) where it has one.")] = "gaussian"

    statement = "||f*||_k <= B, B the norm of a known representation of f* in the space of the kernel k"
    formula = (
        r"\|f^*\|_k \le B, \qquad f^*(x) = \mathbb{E}_w\, a(w)\, \varphi(x; w), \quad \mathbb{E}_w\, a(w)^2 \le B^2, "
        r"\quad k(x, x') = \mathbb{E}_w\, \varphi(x; w)\, \varphi(x'; w)"
    )
    assumptions = (TARGET, IN_SPACE)
    reference = "cho2009kernel"
    examples = ({"kind": "rkhs_norm_upper"}, {"kind": "rkhs_norm_upper", "kernel": "arc_cosine"})

    def evaluate(self, subject: BoundSubject, delta: float) -> BoundReport:
        """The bound; it does not fail, so its delta is 0."""
        known = rkhs_norm_bound(self, subject, 0.0, self.kernel, "rkhs_norm", IN_SPACE)
        if isinstance(known, BoundReport):
            return known
        _, norm = known
        return BoundReport(
            kind=self.kind,
            quantity="rkhs_norm",
            delta=0.0,
            value=norm,
            terms=(BoundTerm(name="representation", value=norm),),
            inputs=model_norm(subject.model),
            trivial_value=math.inf,
            vacuous=False,
            assumptions=(standing(TARGET, "checked"), standing(IN_SPACE, "checked", "From the target's facts.")),
            reference=self.reference,
        )
