"""Root of every document."""

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """An answer as it was given; `model_dump(mode="json")` gives it back."""

    model_config = ConfigDict(frozen=True, extra="allow", ser_json_inf_nan="strings", defer_build=True)
