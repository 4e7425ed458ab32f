"""Persistence: SQLAlchemy only. The database is the truth; whatever else runs is rebuilt from it."""
