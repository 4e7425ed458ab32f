"""Webhooks through the client: asked for with the job, read and sent once more, and the secret for the receiver."""

import pytest
from client_jobs import SPEC

from api.client import Unprocessable

URL = "https://hooks.example.org/riskscope"


def test_job_with_a_webhook_tells_its_deliveries_and_sends_one_again(riskscope):
    job = riskscope.submit(SPEC, webhook=URL)
    assert job.document.webhook.url == URL
    assert list(job.webhook_deliveries()) == []
    job.cancel()
    (delivery,) = job.webhook_deliveries()
    assert (delivery.status, delivery.job_status, delivery.attempts) == ("pending", "cancelled", 0)
    assert job.redeliver(delivery.id).id == delivery.id
    assert riskscope.submit(SPEC).document.webhook is None


def test_address_inside_is_refused_with_the_fields_name(riskscope):
    with pytest.raises(Unprocessable) as refused:
        riskscope.submit(SPEC, webhook="https://169.254.169.254/")
    assert [error.pointer for error in refused.value.field_errors] == ["/webhook/url"]


def test_secret_is_rotated_with_overlap(riskscope):
    first = riskscope.webhooks.secret()
    assert first.previous_secret is None
    rotated = riskscope.webhooks.rotate_secret()
    assert rotated.previous_secret == first.secret
    assert riskscope.webhooks.secret() == rotated
