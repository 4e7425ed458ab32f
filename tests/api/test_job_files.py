"""The table that a predict job leaves, downloaded in every form."""

import io

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from db.job_state import JobStatus
from db.repositories.job_queue import JobQueue
from db.repositories.jobs import Jobs, result_files

TABLE = pa.table({"id": ["a", "b", None], "y": [1.5, -2.0, 1 / 3]})


@pytest.fixture
def finished(services):
    """The id of a succeeded job, with or without a table."""

    def finish(with_table: bool = True, owner: str = "local") -> str:
        with services.database.unit_of_work() as session:
            accepted = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
            job = Jobs(session, owner).accept(kind="predict", **accepted)
            claim = JobQueue(session).claim(job.id, "w", 60)
            result = {"rows": 3}
            if with_table:
                path = services.store.attempt_directory(job.id, claim.attempt) / "predictions.parquet"
                path.parent.mkdir(parents=True)
                pq.write_table(TABLE, path)
                stored = services.store.describe(path)
                entry = {"uri": stored.uri, "sha256": stored.sha256, "size_bytes": stored.size_bytes}
                result["files"] = {"predictions": entry}
            JobQueue(session).finish(job.id, claim.attempt, JobStatus.SUCCEEDED, result=result)
        return job.id

    return finish


READERS = {
    "parquet": lambda content: pq.read_table(pa.BufferReader(content)),
    "arrow": lambda content: pa.ipc.open_stream(content).read_all(),
    "csv": lambda content: pacsv.read_csv(
        io.BytesIO(content), convert_options=pacsv.ConvertOptions(strings_can_be_null=True)
    ),
}


@pytest.mark.parametrize("form", READERS)
def test_every_form_is_the_same_table(client, finished, form):
    job_id = finished()
    answer = client.get(f"/v1/jobs/{job_id}/predictions", params={"format": form})
    assert answer.status_code == 200
    assert f'filename="{job_id}-predictions.{form}"' in answer.headers["content-disposition"]
    assert READERS[form](answer.content).to_pydict() == TABLE.to_pydict()


def test_result_tells_where_and_not_how_it_is_stored(client, finished):
    job_id = finished()
    file = client.get(f"/v1/jobs/{job_id}/result").json()["files"]["predictions"]
    assert set(file) == {"href", "sha256", "size_bytes"}
    answer = client.get(file["href"])
    assert answer.headers["etag"] == f'"{file["sha256"]}"'
    assert len(answer.content) == file["size_bytes"]


def test_what_is_not_there_is_refused(client, finished, services):
    assert client.get("/v1/jobs/job_0/predictions").status_code == 404
    assert client.get(f"/v1/jobs/{finished(owner='stranger')}/predictions").status_code == 404
    without = client.get(f"/v1/jobs/{finished(with_table=False)}/predictions")
    assert without.status_code == 404
    assert "'predict' job" in without.json()["detail"]
    with services.database.unit_of_work() as session:
        accepted = {"spec": {}, "metadata": {}, "priority": 0, "dataset_ids": [], "max_attempts": 1}
        queued = Jobs(session, "local").accept(kind="predict", **accepted).id
    assert client.get(f"/v1/jobs/{queued}/predictions").status_code == 409
    assert client.get(f"/v1/jobs/{finished()}/predictions", params={"format": "xls"}).status_code == 422


def test_files_of_a_result_are_known_to_whoever_collects_leftovers(services, finished):
    with_table, without = finished(), finished(with_table=False)
    with services.database.reading() as session:
        (uri,) = result_files(session, with_table)
        assert with_table in uri
        assert result_files(session, without) == []
        assert result_files(session, "job_gone") == []


def test_admission_points_at_the_field_that_names_the_table(client):
    spec = {"kind": "predict", "model_id": "mdl_1", "dataset_id": "ds_1"}
    answer = client.post("/v1/jobs", json={"spec": spec})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/spec/dataset_id"
