"""Files stay inside the store."""

from pathlib import Path

import pytest

from db.artefact_store import ArtefactStore


def test_adopted_file_is_found_by_its_uri(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    incoming = store.staging_directory() / "x"
    incoming.write_bytes(b"abc")
    stored = store.adopt(incoming, "datasets/ds_1.parquet")
    assert store.path(stored.uri).read_bytes() == b"abc"
    assert stored.size_bytes == 3
    assert stored.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    store.remove(stored.uri)
    store.remove(stored.uri)
    assert not store.path(stored.uri).exists()


@pytest.mark.parametrize("uri", ["artefact:../x", "artefact:/etc/passwd", "file:///x", "artefact:a/../../x"])
def test_uri_that_leaves_the_store_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ValueError, match="artefact URI"):
        ArtefactStore(tmp_path).path(uri)
