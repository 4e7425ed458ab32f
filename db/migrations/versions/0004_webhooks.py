"""jobs may name a webhook, and deliveries are rows

Revision: 0004, after 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

PENDING: dict[str, Any] = {
    'postgresql_where': sa.text("status = 'pending'"),
    'sqlite_where': sa.text("status = 'pending'"),
}


def upgrade() -> None:
    op.add_column('jobs', sa.Column('webhook_url', sa.String(), nullable=True))
    op.create_table('webhook_deliveries',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('job_id', sa.String(), nullable=False),
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('url', sa.String(), nullable=False),
    sa.Column('job_status', sa.String(), nullable=False),
    sa.Column('status', sa.String(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('earlier_attempts', sa.Integer(), nullable=False),
    sa.Column('next_attempt_at', sa.BigInteger(), nullable=True),
    sa.Column('last_attempt_at', sa.BigInteger(), nullable=True),
    sa.Column('response_status', sa.Integer(), nullable=True),
    sa.Column('error', sa.String(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_webhook_deliveries_job_id_jobs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_deliveries'))
    )
    op.create_index('ix_webhook_deliveries_due', 'webhook_deliveries', ['next_attempt_at'], **PENDING)
    op.create_index('ix_webhook_deliveries_job_id_id', 'webhook_deliveries', ['job_id', 'id'])
    op.create_table('webhook_secrets',
    sa.Column('owner', sa.String(), nullable=False),
    sa.Column('generation', sa.Integer(), nullable=False),
    sa.Column('rotated_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('owner', name=op.f('pk_webhook_secrets'))
    )


def downgrade() -> None:
    op.drop_table('webhook_secrets')
    op.drop_table('webhook_deliveries')
    op.drop_column('jobs', 'webhook_url')
