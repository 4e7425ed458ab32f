"""Which torch device a job's process uses."""

import torch


def choose_device(requested: str, ordinal: int) -> str:
    """`auto` is CUDA where there is any, else the CPU; without an index, processes take the accelerators in turn.

    Raises:
        RuntimeError: CUDA was asked for and is not there.
    """
    if requested == "cpu":
        return "cpu"
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not available:
        if requested == "auto":
            return "cpu"
        raise RuntimeError(f"The device {requested!r} was asked for, and torch sees no CUDA device.")
    if ":" in requested:
        return requested
    return f"cuda:{ordinal % available}"
