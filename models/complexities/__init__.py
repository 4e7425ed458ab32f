"""Empirical Rademacher complexities of norm balls, with Monte Carlo error made rigorous.

R^_n(F) = (1/n) E_xi sup_{f in F} sum_i xi_i f(x_i) over independent uniform signs xi_i, without absolute value. Both
classes here are balanced (f in F implies -f in F), so that the value with absolute value is the same.
"""
