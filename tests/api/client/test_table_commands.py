"""`datasets`, `decompositions`, `models`, `predict`, `export`: tables in, tables out."""

import csv
import hashlib
import io
import json

import numpy as np

from api.commands.exit_codes import ExitCode


def test_table_is_uploaded_listed_shown_and_deleted(run, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y\n1,2\n3,\n")
    done = run("datasets", "upload", path, "--name", "mine")
    assert done.exit_code == 0, done.output
    dataset_id = done.stdout.strip()
    assert dataset_id in run("datasets", "list").stdout
    (listed,) = json.loads(run("datasets", "list", "--json").stdout)
    assert (listed["id"], listed["name"], listed["rows"]) == (dataset_id, "mine", 2)
    shown = run("datasets", "show", dataset_id).stdout
    assert "mine" in shown
    assert ["y", "number", "1", "0", "1"] in [line.split() for line in shown.splitlines()]
    assert json.loads(run("datasets", "show", dataset_id, "--json").stdout) == listed
    assert run("datasets", "delete", dataset_id).stdout == f"{dataset_id} deleted\n"
    assert run("datasets", "show", dataset_id).exit_code == ExitCode.REFUSED


def test_table_of_standard_input_is_uploaded(run):
    done = run("datasets", "upload", "-", "--delimiter", "semicolon", "--no-header", "--json", input="1;2\n3;4\n")
    found = json.loads(done.stdout)
    assert (found["rows"], len(found["columns"]), found["format"]) == (2, 2, "csv")
    assert run("datasets", "upload", "nowhere.csv").exit_code == ExitCode.USAGE
    refused = run("datasets", "upload", "-", "--json", input="")
    assert refused.exit_code == ExitCode.REFUSED
    assert json.loads(refused.stderr)["error"]["status"] == 422


def test_decompositions_are_a_table_csv_or_json(run, job_live, finish_live, cell):
    finish_live(job_live.id, cells=[cell(4, 10, 0.5), cell(8, 10, "inf")])
    lines = [line.split() for line in run("decompositions", "--job-id", job_live.id).stdout.splitlines()]
    terms = ["noise", "approximation", "estimation", "optimization"]
    assert lines[0] == ["job", "space", "data", "m", "n", *terms, "risk", "buy"]
    expected = [job_live.id, "random_features", "cosine_ridge", "4", "10", "0.2", "-0.1", "-0.1", "-0.1", "0.5", "data"]
    assert lines[2] == expected
    assert lines[3][-2] == "inf"
    found = json.loads(run("decompositions", "--width", 8, "--json").stdout)
    assert [(each["width"], each["risks"]["trained"]["value"]) for each in found] == [(8, "inf")]
    rows = list(csv.DictReader(io.StringIO(run("decompositions", "--csv", "--order", "desc").stdout)))
    assert [row["width"] for row in rows] == ["8", "4"]
    assert run("decompositions", "--csv", "--json").exit_code == ExitCode.USAGE
    assert run("decompositions", "--target", "runge").stdout.count("\n") == 2


def test_predictions_are_csv_or_json(run, register_live, tmp_path):
    register_live()
    (tmp_path / "rows.csv").write_text("b,a\n2,1\n4,3\n")
    np.save(tmp_path / "rows.npy", np.array([[1.0, 2.0], [3.0, 4.0]]))
    for name in ("rows.csv", "rows.npy"):
        done = run("predict", "plane", tmp_path / name)
        assert (done.exit_code, done.stdout.split()) == (0, ["y0", "21.0", "43.0"]), done.output
    assert run("predict", "plane", "-", input="a,b\n1,2\n").stdout.split() == ["y0", "21.0"]
    rows = json.dumps({"rows": [[1, 2]]})
    found = json.loads(run("predict", "plane", "-", "--format", "json", "--version", 1, "--json", input=rows).stdout)
    assert (found["predictions"], found["model"]) == ([[21.0]], {"name": "plane", "version": 1})
    assert run("predict", "plane", tmp_path / "rows.xls").exit_code == ExitCode.USAGE
    assert run("predict", "plane", "-", input="a\n1\n").exit_code == ExitCode.REFUSED
    assert run("predict", "nothing", "-", input="a\n1\n").exit_code == ExitCode.REFUSED


def test_model_is_listed_and_exported(run, register_live, tmp_path):
    row = register_live()
    assert run("models").stdout.splitlines()[2].split()[:4] == ["plane", "1", "two_layer", "0.25"]
    assert [model["name"] for model in json.loads(run("models", "--json").stdout)] == ["plane"]
    for name, role in (("plane.onnx", "graph"), ("plane.safetensors", "weights")):
        done = run("export", "plane", tmp_path / name, "--json")
        assert done.exit_code == 0, done.output
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert digest == json.loads(done.stdout)["sha256"] == row.files[role]["sha256"]
    refused = run("export", "plane", tmp_path / "nowhere" / "plane.onnx", "--json")
    assert refused.exit_code == ExitCode.FAILED
    assert "No such file or directory" in json.loads(refused.stderr)["error"]["message"]
