"""The error split into approximation, estimation and optimization: references, grid, terms, cost, reading, advice."""
