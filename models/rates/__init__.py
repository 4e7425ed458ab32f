"""How fast the approximation error falls as the width grows: measured, fitted, and what the theory promises."""
