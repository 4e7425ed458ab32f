"""The parts of a job's work, all computed in this process."""


def parts_here(name, count, compute):
    """In order, at once."""
    return [compute(index) for index in range(count)]
