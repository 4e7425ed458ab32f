"""From the words of a path to a model: name, then version number, alias, or nothing for the newest."""

import re
from typing import Annotated

from fastapi import Path
from sqlalchemy.orm import Session

from api.errors import NotFound
from db.repositories.learned_models import LearnedModels
from db.tables import LearnedModel

_WORD_PATTERN = "[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
_WORD = re.compile(_WORD_PATTERN)

# Documented, not enforced by the framework: a name that cannot exist is 404, like any other that does not.
ModelName = Annotated[str, Path(description="A model's name.", json_schema_extra={"pattern": f"^{_WORD_PATTERN}$"})]
VersionOrAlias = Annotated[
    str,
    Path(description="A version number, or an alias.", json_schema_extra={"pattern": f"^{_WORD_PATTERN}$"}),
]
AliasName = Annotated[
    str,
    Path(
        description="Like a model's name, but no number: numbers are versions.",
        json_schema_extra={"pattern": "^([A-Za-z]|[0-9]+[A-Za-z_.-])[A-Za-z0-9_.-]*$", "maxLength": 100},
    ),
]


def check_words(*words: str) -> None:
    """Refuse what no name, version or alias can be before it reaches the database.

    Raises:
        NotFound: a word has another form.
    """
    if not all(_WORD.fullmatch(word) for word in words):
        raise NotFound("No learned model, version or alias has such a name.")


def learned_model(session: Session, owner: str, name: str, version: str | None = None) -> LearnedModel:
    """The row that a path names; `version` None: the newest.

    Raises:
        NotFound: there is none of this owner.
    """
    check_words(name, *(() if version is None else (version,)))
    model = LearnedModels(session, owner).resolve(name, version)
    if model is None:
        what = f"learned model {name!r}" if version is None else f"version or alias {version!r} of model {name!r}"
        raise NotFound(f"There is no {what}.")
    return model
