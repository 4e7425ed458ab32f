"""The secret under which the service signs its calls; the calls themselves are with their jobs."""

from api.client.connection import Connection
from api.client.documents.webhooks import WebhookSecret


class Webhooks:
    """Webhooks of one owner."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def secret(self) -> WebhookSecret:
        """For the receiver, to verify with any library for Standard Webhooks."""
        return WebhookSecret.model_validate(self._connection.get("/v1/webhook_secret"))

    def rotate_secret(self) -> WebhookSecret:
        """A new one; for a day, messages are signed under the one before it, too."""
        return WebhookSecret.model_validate(self._connection.post("/v1/webhook_secret/rotate"))
