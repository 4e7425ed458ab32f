"""Databases as earlier releases left them: at a revision, with a row in every table."""

from typing import Any

from alembic import command
from sqlalchemy import JSON, BigInteger, Double, Integer, MetaData, Table

from db.engine import Database
from db.migrate import configuration

WORDS = {
    "status": "queued",
    "owner": "local",
    "name": "m",
    "kind": "fit",
    "uri": "artefact:datasets/table.parquet",
    "files": {},
}
"""What a constraint or the reading code asks for; every other text is the table's and the column's name."""


def value_of(table: Table, column: Any) -> Any:
    (key,) = column.foreign_keys or (None,)
    if key is not None:
        return value_of(key.column.table, key.column)
    if column.name in WORDS:
        return WORDS[column.name]
    if column.name == "parent_id":
        return None
    if isinstance(column.type, JSON):
        return ["π"] if column.name in ("scopes", "columns", "bounds", "dataset_ids", "model_ids") else {"π": "∞"}
    if isinstance(column.type, Integer | BigInteger):
        return 1_750_000_000_000_000 if column.name.endswith("_at") else 1
    if isinstance(column.type, Double):
        return float("inf")
    return f"{table.name}.{column.name}"


def filled(database: Database) -> dict[str, dict[str, Any]]:
    """A row in every table, in the words of the revision that the database has."""
    metadata = MetaData()
    metadata.reflect(database.engine)
    written = {}
    with database.engine.begin() as connection:
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                # The database counts ids that are numbers.
                columns = [column for column in table.columns if column.name != "id" or column.type.python_type is str]
                written[table.name] = {column.name: value_of(table, column) for column in columns}
                connection.execute(table.insert(), written[table.name])
    return written


def raised(database: Database, revision: str) -> None:
    """Bring an empty database to a revision."""
    config = configuration()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
