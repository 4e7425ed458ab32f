"""Style, scripts and vendored libraries, addressed by their content, so that a browser may keep them for ever."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served; a licence stands beside its library and is not."""


@dataclass(frozen=True)
class Assets:
    """Files by the name that follows `/assets/<digest>/`; relative imports of modules stay under one digest."""

    digest: str
    paths: dict[str, Path]

    def url(self, name: str) -> str:
        """Where a file is served. Raises KeyError where there is none."""
        self.paths[name]
        return f"/assets/{self.digest}/{name}"

    def text(self, name: str) -> str:
        """A file's text, for a document that holds it. Raises KeyError."""
        return self.paths[name].read_text(encoding="utf-8")

    def media_type(self, name: str) -> str:
        """By the file's suffix. Raises KeyError."""
        return _MEDIA_TYPES[self.paths[name].suffix]


@cache
def assets() -> Assets:
    """The files of this installation, and those of Swagger UI that fastapi-offline brings."""
    own = Path(str(files("api.pages"))) / "static"
    swagger = Path(str(files("fastapi_offline"))) / "static"
    paths = {
        str(path.relative_to(own)): path
        for path in sorted(own.rglob("*"))
        if path.is_file() and path.suffix in _MEDIA_TYPES
    }
    paths |= {f"swagger/{name}": swagger / name for name in ("swagger-ui-bundle.js", "swagger-ui.css")}
    digest = hashlib.sha256()
    for name, path in paths.items():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return Assets(digest.hexdigest()[:16], paths)
