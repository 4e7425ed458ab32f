"""Keys, probes, catalogue and calculator through the client; an administrator's key closes the service."""

import math

import pytest
from client_jobs import SPEC
from pydantic import SecretStr

from api.client import Forbidden, RiskscopeClient, Unauthenticated
from api.main import create_app


@pytest.fixture
def app(api_settings, database, doorbell):
    return create_app(api_settings.model_copy(update={"admin_key": SecretStr("root")}), doorbell=doorbell)


@pytest.fixture
def admin(client):
    return RiskscopeClient(http_client=client, api_key="root")


def test_service_says_how_it_is_without_a_key(riskscope):
    assert riskscope.service.is_alive()
    readiness = riskscope.service.readiness()
    assert readiness.status == "not_ready"
    assert readiness.checks["database"].ok
    assert not readiness.checks["worker"].ok
    assert riskscope.service.version().name == "riskscope"
    assert "riskscope_" in riskscope.service.metrics()
    assert riskscope.inference.server().name == "riskscope"
    assert riskscope.inference.is_live()
    assert riskscope.inference.is_ready()


def test_keys_open_what_their_scopes_say(riskscope, admin, client):
    with pytest.raises(Unauthenticated):
        list(riskscope.jobs.list())
    made = admin.keys.create("ci", owner="team", scopes=["read"])
    assert [(key.id, key.name, key.owner, key.scopes) for key in admin.keys.list()] == [
        (made.id, "ci", "team", ["read"])
    ]
    reader = RiskscopeClient(http_client=client, api_key=made.secret)
    assert list(reader.jobs.list()) == []
    with pytest.raises(Forbidden):
        reader.submit(SPEC)
    admin.keys.revoke(made.id)
    assert list(admin.keys.list()) == []


def test_secret_is_shown_once(admin):
    first, again = (admin.keys.create("ci", idempotency_key="once") for _ in range(2))
    assert first.secret
    assert (again.id, again.secret) == (first.id, None)


def test_catalogue_tells_every_kind(admin):
    families = {family.family: family.kinds for family in admin.catalogue.families()}
    assert "ridge" in families["learners"]
    assert [kind.kind for kind in admin.catalogue.kinds("learners")] == families["learners"]
    kind = admin.catalogue.kind("learners", "ridge")
    assert kind.statement
    assert kind.parameters["properties"]["penalty"]


def test_bounds_are_evaluated_from_numbers(admin):
    found = admin.bounds.evaluate(held_out_risk=0.1, held_out_size=100, loss_cap=1.0, delta=0.05)
    by_name = {bound.formula: bound for bound in found.data}
    # Hoeffding: R + M sqrt(log(1/delta) / 2n).
    hoeffding = next(bound for name, bound in by_name.items() if "hoeffding" in name and "bentkus" not in name)
    assert hoeffding.value == pytest.approx(0.1 + math.sqrt(math.log(1 / 0.05) / 200))
    assert found.all_hold_with_probability_at_least == pytest.approx(1 - 0.05 * len(found.data))
