"""Least squares and ridge over grids of nested widths, sample sizes and penalties, with shared factors."""
