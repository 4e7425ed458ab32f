"""Open ONNX sessions of served models."""

from db.artefact_store import ArtefactStore


class ModelSessions:
    """A cache of sessions."""

    def __init__(self, store: ArtefactStore, max_bytes: int) -> None:
        self.store = store
        self.max_bytes = max_bytes

    def close(self) -> None:
        """Drop every session."""
