"""indexes that answer every filter and order of decompositions by themselves

Revision: 0002, after 0001
"""

from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

TABLE = 'decompositions'
FILTERED = ['hypothesis_space', 'target', 'dimension', 'width', 'sample_size']
ORDERED = ['trained_risk', 'approximation', 'estimation', 'optimization']
# The key that an order repeats is not repeated in its index.
NEW = {
    'ix_decompositions_owner_id': ['owner', 'id', *FILTERED],
    **{f'ix_decompositions_owner_{key}': ['owner', key, 'id', *FILTERED] for key in ORDERED},
    'ix_decompositions_owner_width': ['owner', 'width', 'id', 'hypothesis_space', 'target', 'dimension', 'sample_size'],
    'ix_decompositions_owner_sample_size': ['owner', 'sample_size', 'id', 'hypothesis_space', 'target', 'dimension', 'width'],
    'ix_decompositions_job_id_owner': ['job_id', 'owner', 'id', *FILTERED, *ORDERED],
    'ix_decompositions_owner_dataset_id': ['owner', 'dataset_id', 'id', *FILTERED, *ORDERED],
}
OLD = {
    'ix_decompositions_job_id': ['job_id'],
    'ix_decompositions_owner_dataset': ['owner', 'dataset_id'],
    'ix_decompositions_owner_id': ['owner', 'id'],
    'ix_decompositions_owner_space_target': ['owner', 'hypothesis_space', 'target', 'width', 'sample_size'],
}


def upgrade() -> None:
    _replace(OLD, NEW)


def downgrade() -> None:
    _replace(NEW, OLD)


def _replace(old: dict[str, list[str]], new: dict[str, list[str]]) -> None:
    for name in old:
        op.drop_index(name, TABLE)
    for name, columns in new.items():
        op.create_index(name, TABLE, columns)
