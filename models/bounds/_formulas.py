"""Lines that the formulas of several bounds share, in LaTeX; each stands inside one `split` environment."""

DEVIATION = r"\\ &\quad + M \sqrt{\frac{2}{N} \ln \frac{\text{pairs}}{\delta w_k}} + R_N(f) - R_n(f), \\ "
"""What the sample, the choice of the radius and the rows left out add to the complexity (form sharp, one side)."""

INPUTS = r"&\tilde{x} = (x, 1), \quad \xi_i = \pm 1 \text{ fair signs}, \\ "
"""The signed sums of the homogeneous inputs."""

LOSS = r"&R(f) = \mathbb{E} \min\left(|\operatorname{clip} f(x) - y|^2,\, M\right), \\ "
"""The capped risk; R_n and R_N are its means over all n and over N rows."""

WEIGHT = r"w_k = \frac{1}{(\pi^2 / 3 - 1) (|k| + 1)^2}, \\ "
"""The part of delta for the step k of a grid."""

SIZES = (
    r"&N = n - 2, \; \text{pairs} = n (n - 1) \quad \text{where two labels set the range}, \\ "
    r"&N = n, \; \text{pairs} = 1 \quad \text{where it was given} \end{split}"
)
"""The rows that count, and the choices of the range among them."""

REST = LOSS + r"&Q = \sqrt{M}\, 2^{k/8}, \quad " + WEIGHT + SIZES
"""The last lines of a bound over balls whose radius is chosen after the data."""
