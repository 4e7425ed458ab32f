"""Fields that take one specification or several."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from models.hypothesis_spaces import AnyHypothesisSpace
from models.learners import AnyLearner


def one_or_several(value: Any) -> str:
    """The tag of a value: an object is one, an array several."""
    return "several" if isinstance(value, list | tuple) else "one"


Spaces = Annotated[
    Annotated[AnyHypothesisSpace, Tag("one")]
    | Annotated[tuple[AnyHypothesisSpace, ...], Field(min_length=1, max_length=8), Tag("several")],
    Discriminator(one_or_several),
]
Learners = Annotated[
    Annotated[AnyLearner, Tag("one")]
    | Annotated[tuple[AnyLearner, ...], Field(min_length=1, max_length=8), Tag("several")],
    Discriminator(one_or_several),
]
