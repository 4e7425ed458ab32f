"""What can be wrong with a request or a computation, as the mathematics sees it.

ModelsError
├── InvalidData          the table or its columns cannot serve (missing column, text, missing values, too few rows)
├── AssumptionFailed     a statement's hypothesis does not hold for this input; nothing is computed
├── TrainingDiverged     the iteration left every bounded set; says at which step and which step size would be stable
├── NumericalFailure     a factorisation or a comparison failed where it should not
└── Stopped              the run was asked to stop and did
"""

from typing import NoReturn

from pydantic_core import PydanticCustomError


class ModelsError(Exception):
    """Root of this tree. `code` is the machine-readable name that a failed job shows; `param` a JSON pointer."""

    code = "models_error"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidData(ModelsError):
    code = "invalid_data"


class AssumptionFailed(ModelsError):
    code = "assumption_failed"


class TrainingDiverged(ModelsError):
    code = "training_diverged"


class NumericalFailure(ModelsError):
    code = "numerical_failure"


class Stopped(ModelsError):
    code = "stopped"

    def __init__(self) -> None:
        super().__init__("The run was asked to stop.")


def refuse(pointer: str, message: str) -> NoReturn:
    """Refuse a specification inside a pydantic validator, naming the field.

    `pointer` is relative to the validated object ("/learner"); whoever renders the error prefixes the location.
    """
    raise PydanticCustomError("assumption", "{message}", {"pointer": pointer, "message": message})
