"""Conditional changes: did the statement find its row?"""

from typing import cast

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.orm import Session


def changed(session: Session, statement: Update | Delete) -> bool:
    """Execute, and say whether any row was changed."""
    return cast("CursorResult[tuple[()]]", session.execute(statement)).rowcount > 0
