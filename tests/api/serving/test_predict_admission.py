"""A predict job is refused when it is submitted where the table is not one that its model takes."""

import pytest
import torch

from models import artefacts
from models.encoding import CategoryColumn, InputEncoding, NumberColumn
from models.hypothesis_spaces.two_layer import TwoLayer
from models.learned_model import LearnedModel
from models.randomness import Randomness
from models.scaling import identity_scaling

ENCODING = InputEncoding(
    columns=(
        NumberColumn(name="age", fill=40.0, accepts_missing=True),
        CategoryColumn(name="colour", values="text", levels=("blue", "red")),
        NumberColumn(name="height"),
    )
)


@pytest.fixture
def submit(client, register_exported):
    """Submits a predict job of an uploaded CSV file; `dry` asks for the plan alone."""
    space = TwoLayer(kind="two_layer", width=4)
    drawn = space.draw(ENCODING.dimension, 1, Randomness(0), torch.float64)
    model = LearnedModel(space, drawn, identity_scaling(ENCODING.dimension), identity_scaling(1))
    exported = artefacts.export(model, name="pets", encoding=ENCODING, output_names=["y"], provenance={})
    model_id = register_exported("pets", exported).id

    def submitted(table: str, dry: bool = False, **changes):
        dataset = client.post("/v1/datasets", files={"file": ("t.csv", table.encode(), "text/csv")}).json()
        spec = {"kind": "predict", "model_id": model_id, "dataset_id": dataset["id"], **changes}
        return client.post("/v1/jobs", json={"spec": spec}, params={"dry_run": dry})

    return submitted


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("table", "named"),
    [
        ("Age,color,height\n1,red,2\n3,blue,4\n", ["'age', 'colour'", "does not know: 'Age', 'color'"]),
        ("age,colour\n1,red\n3,blue\n", ["no column 'height'"]),
        ("age,colour,height\n1,5,tall\n3,6,small\n", ["'colour' must be text", "'height' must be numbers"]),
        ("age,colour,height\n,red,\n3,,4\n", ["'colour' misses 1 values", "'height' misses 1 values"]),
    ],
)
def test_columns_that_do_not_fit_are_named(client, submit, table, named, dry):
    refused = submit(table, dry)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/spec/dataset_id"]
    assert all(words in refused.json()["detail"] for words in named)
    assert "'age' m" not in refused.json()["detail"]
    assert client.get("/v1/jobs").json()["data"] == []


def test_table_may_have_more_columns_than_the_model_takes(submit):
    table = "height,id,colour,age\n1,a,red,\n2,b,violet,7\n"
    assert submit(table, dry=True).status_code == 200
    assert submit(table, keep_columns=["id"]).status_code == 202
