"""Shapes are checked while the tests run; numerics use one thread, as in production."""

import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from jaxtyping import install_import_hook

# Before any import of models: the hook rewrites what is imported after it.
install_import_hook("models", "beartype.beartype")
