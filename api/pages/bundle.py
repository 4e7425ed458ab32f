"""Modules as one script, for a document that stands alone: a file on a disk may import nothing."""

import re
from functools import cache
from posixpath import dirname, join, normpath

from api.pages.assets import assets

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "([^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)


@cache
def bundled(entry: str) -> str:
    """The module `entry` ("js/pages/report.js") and all it imports, each in a scope of its own, in the order of need.

    Raises:
        ValueError: a module imports or exports in a form that is not read here, or modules import each other.
    """
    parts: dict[str, str] = {}
    _add(entry, parts, ())
    return '"use strict";\nconst modules = {};\n' + "\n".join(parts.values())


def _add(name: str, parts: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"Modules import each other: {' -> '.join((*above, name))}.")
    if name in parts:
        return
    source = assets().text(name)
    needed = {path: normpath(join(dirname(name), path)) for _, path in _IMPORT.findall(source)}
    for target in needed.values():
        _add(target, parts, (*above, name))
    exported = [word for _, word in _EXPORT.findall(source)]
    source = _IMPORT.sub(lambda match: f"const {match[1]} = modules[{needed[match[2]]!r}];", source)
    source = _EXPORT.sub(r"\1", source)
    if re.search(r"^(import|export)\b", source, re.MULTILINE) or "</script" in source:
        raise ValueError(f"{name} cannot be bundled.")
    parts[name] = f"modules[{name!r}] = (() => {{\n{source}\nreturn {{ {', '.join(exported)} }};\n}})();"
