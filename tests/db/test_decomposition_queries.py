"""Every search of decompositions is answered from an index, with the plans of both databases as evidence."""

import itertools
from typing import Any, get_args

import pytest
from sqlalchemy import Select, insert, select, text
from sqlalchemy.orm import Session

from db.engine import Database
from db.identifiers import new_id
from db.repositories.decompositions import Decompositions, OrderBy, UnknownCursorError
from db.repositories.jobs import Jobs
from db.repositories.pages import Order
from db.tables import Decomposition

ORDERS = get_args(OrderBy)
INDEX_OF = {"job_id": "job_id_owner", "dataset_id": "owner_dataset_id"}
# Enough for PostgreSQL to prefer an index; a table of a few pages is rightly read whole.
JOBS, CELLS_OF_A_JOB = 100, 100


@pytest.fixture
def filled(database: Database) -> dict[str, Any]:
    """Ten thousand cells with many ties; an example of each filter, frequent values and rare ones."""
    with database.unit_of_work() as session:
        for number in range(JOBS):
            job = Jobs(session, "local").accept(
                kind="decompose_error", spec={}, metadata={}, priority=0, dataset_ids=[], max_attempts=1
            )
            dataset = None if number % 4 else f"ds_{number}"
            common: dict[str, Any] = {
                "job_id": job.id,
                "owner": "local",
                "hypothesis_space": ("random_features", "two_layer")[number % 2],
                "target": None if dataset else ("gaussian" if number == 1 else "cosine_ridge"),
                "dataset_id": dataset,
                "dimension": 10 if number % 3 else 2,
                "seeds": 1,
                # As wide as a cell is, so that the table has as many pages for the planner.
                "cell": {"text": "x" * 1000},
            }
            values = [
                {
                    "id": new_id("dec"),
                    "width": 2 ** (cell % 10),
                    "sample_size": 10 * (cell // 10 + 1),
                    "trained_risk": float("inf") if cell == 7 else float(cell % 5),
                    "approximation": float(cell % 3),
                    "estimation": 1.0 / (1 + cell),
                    "optimization": -0.5,
                }
                for cell in range(CELLS_OF_A_JOB)
            ]
            session.execute(insert(Decomposition), [common | value for value in values])
    if not database.is_sqlite:
        # What autovacuum does within a minute.
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE decompositions"))
    return {"job_id": job.id, "dataset_id": "ds_4"}


def searches(known: dict[str, Any]) -> list[dict[str, Any]]:
    """The filters of one search each."""
    return [
        {},
        {"job_id": known["job_id"]},
        {"dataset_id": known["dataset_id"]},
        {"hypothesis_space": "two_layer"},
        {"target": "cosine_ridge"},
        {"target": "gaussian"},
        {"dimension": 2},
        {"dimension": 77},
        {"width": 64},
        {"sample_size": 100},
        {"min_sample_size": 90},
        {"max_sample_size": 50},
        {"min_sample_size": 20, "max_sample_size": 30},
        {"hypothesis_space": "two_layer", "target": "cosine_ridge", "dimension": 10, "width": 64},
        {"job_id": known["job_id"], "width": 64},
    ]


def plan(session: Session, query: Select[str]) -> list[str]:
    """Lines of EXPLAIN, of the very statement that is run: its values are bound, not written into it."""
    connection = session.connection()
    statement = query.limit(21).compile(connection)
    values: Any = statement.params
    if connection.dialect.name != "sqlite":
        return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
    in_order = tuple(values[name] for name in statement.positiontup or ())
    return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", in_order)]


def check_reads_an_index(lines: list[str], case: Any) -> None:
    """No row is fetched to be refused: the filters are compared in the index that the search reads."""
    if lines[0].startswith("SEARCH"):
        assert "USING COVERING INDEX ix_decompositions_" in lines[0], case
        assert not any(line.startswith("SCAN") for line in lines), case
    else:
        assert any("Index Only Scan" in line or "Index Scan" in line for line in lines), case
        assert not any("Seq Scan" in line for line in lines), case


def test_every_filter_in_every_order_reads_an_index(database: Database, filled: dict[str, Any]) -> None:
    with database.reading() as session:
        cells = Decompositions(session, "local")
        for filters, order_by, order in itertools.product(searches(filled), ORDERS, get_args(Order)):
            first = cells.search(after=None, order=order, order_by=order_by, **filters)
            lines = plan(session, first)
            case = (filters, order_by, order, lines)
            check_reads_an_index(lines, case)
            assert not any("Filter" in line for line in lines), case
            for selective in {"job_id", "dataset_id"} & filters.keys():
                assert any(f"ix_decompositions_{INDEX_OF[selective]}" in line for line in lines), case
            later = session.scalars(first.offset(3).limit(1)).first()
            if later is not None:
                query = cells.search(after=later, order=order, order_by=order_by, **filters)
                check_reads_an_index(plan(session, query), case)


def test_no_order_sorts_and_a_later_page_starts_at_its_cursor(database: Database, filled: dict[str, Any]) -> None:
    with database.reading() as session:
        cells = Decompositions(session, "local")
        for order_by, order in itertools.product(ORDERS, get_args(Order)):
            after = cells.ids(limit=5000, after=None, order=order, order_by=order_by).items[-1]
            for cursor in (None, after):
                lines = plan(session, cells.search(after=cursor, order=order, order_by=order_by))
                assert not any("Sort" in line or "TEMP B-TREE" in line for line in lines), lines
            (condition,) = (line for line in lines if "INDEX" in line or "Index Cond" in line)
            key = "id" if order_by == "created_at" else f"{order_by},id"
            bare = condition.translate(str.maketrans("", "", "() ")).replace("::text", "")
            assert f"{key}{'>' if order == 'asc' else '<'}" in bare, lines


def test_pages_of_a_thousand_join_to_the_whole(database: Database, filled: dict[str, Any]) -> None:
    with database.reading() as session:
        cells = Decompositions(session, "local")
        for order_by, order in itertools.product(ORDERS, get_args(Order)):
            whole = cells.ids(limit=20_000, after=None, order=order, order_by=order_by)
            assert len(set(whole.items)) == JOBS * CELLS_OF_A_JOB
            assert not whole.has_more
            joined: list[str] = []
            while True:
                after = joined[-1] if joined else None
                page = cells.ids(limit=1000, after=after, order=order, order_by=order_by)
                joined += page.items
                if not page.has_more:
                    break
            assert joined == whole.items


def test_rows_come_in_the_order_of_their_ids_without_those_that_are_gone(
    database: Database, filled: dict[str, Any]
) -> None:
    with database.reading() as session:
        cells = Decompositions(session, "local")
        ids = list(cells.ids(limit=3, after=None, order="desc", order_by="estimation").items)
        assert [row.id for row in cells.rows([ids[2], "dec_0", ids[0]])] == [ids[2], ids[0]]
        assert Decompositions(session, "stranger").rows(ids) == []
        with pytest.raises(UnknownCursorError):
            Decompositions(session, "stranger").ids(limit=1, after=ids[0], order="asc", order_by="width")


def test_deleting_a_job_finds_its_cells_by_index(database: Database, filled: dict[str, Any]) -> None:
    with database.reading() as session:
        lines = plan(session, select(Decomposition.id).where(Decomposition.job_id == filled["job_id"]))
        assert any("ix_decompositions_job_id_owner" in line for line in lines), lines
