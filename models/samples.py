"""A sample S = {(x_i, y_i)}: what a learner sees and what a risk is measured on."""

from dataclasses import dataclass

import torch

from models.arrays import Inputs, Labels


@dataclass(frozen=True)
class Sample:
    """n rows of inputs and labels in the data's own units."""

    inputs: Inputs
    labels: Labels

    @property
    def size(self) -> int:
        """n."""
        return self.inputs.shape[0]

    def first(self, size: int) -> "Sample":
        """The first `size` rows."""
        return Sample(self.inputs[:size], self.labels[:size])

    def to(self, dtype: torch.dtype, device: str | torch.device = "cpu") -> "Sample":
        """The same rows in another precision or place."""
        return Sample(self.inputs.to(device, dtype), self.labels.to(device, dtype))


def one_hot(labels: Labels) -> bool:
    """Whether the labels name one of k >= 2 classes: zeros and a single one in every row."""
    return labels.shape[1] > 1 and bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(dim=1) == 1).all())
