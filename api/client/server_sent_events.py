"""The text/event-stream format, as far as the service writes it: id, event and data fields, comments between them."""

from collections.abc import Iterable, Iterator


def event_data(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event that is whole; one that a lost connection cut off is left out.

    Source: WHATWG HTML, section 9.2.6, Interpreting an event stream.
    """
    data: list[str] = []
    for line in lines:
        if line == "":
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
