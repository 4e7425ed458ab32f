"""Root of every document."""

import math
from typing import Any

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """An answer."""

    # "strings" keeps infinite numbers as they are until as_json spells them; the default would make them null.
    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="strings", defer_build=True)

    def as_json(self) -> dict[str, Any]:
        """Its JSON as it came: infinite numbers are "inf" and "-inf"."""
        found: dict[str, Any] = _spelled(self.model_dump(mode="json"))
        return found


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _spelled(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_spelled(member) for member in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
