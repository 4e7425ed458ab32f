"""jobs may have shards, which are jobs that only workers see

Revision: 0003, after 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

QUEUED: dict[str, Any] = {'postgresql_where': sa.text("status = 'queued'"), 'sqlite_where': sa.text("status = 'queued'")}
COLUMNS = {'parent_id': sa.String, 'shard_name': sa.String, 'shard_index': sa.Integer, 'shard_count': sa.Integer}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column('jobs', sa.Column(name, kind(), nullable=True))
    op.create_index('ix_jobs_shards', 'jobs', ['parent_id', 'shard_name', 'shard_index'], unique=True)
    op.drop_index('ix_jobs_queue', 'jobs', **QUEUED)
    op.create_index('ix_jobs_queue', 'jobs', ['priority', 'id', 'parent_id'], **QUEUED)


def downgrade() -> None:
    op.execute('DELETE FROM jobs WHERE parent_id IS NOT NULL')
    op.drop_index('ix_jobs_queue', 'jobs', **QUEUED)
    op.create_index('ix_jobs_queue', 'jobs', ['priority', 'id'], **QUEUED)
    op.drop_index('ix_jobs_shards', 'jobs')
    for name in reversed(COLUMNS):
        op.drop_column('jobs', name)
