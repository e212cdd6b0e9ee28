"""The list of privacy budgets.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE privacy_budget (
    owner text NOT NULL,
    period text NOT NULL,
    accounting text,
    granted_nano bigint NOT NULL,
    granted_delta_femto bigint NOT NULL,
    open_percent bigint NOT NULL,
    spent_nano bigint NOT NULL,
    spent_delta_femto bigint NOT NULL,
    open_spent_nano bigint NOT NULL,
    releases bigint NOT NULL,
    PRIMARY KEY (owner, period)
);
CREATE INDEX privacy_budget_period ON privacy_budget (period, owner)
"""

revision, down_revision, upgrade, downgrade = step("0004", "0003", TABLES)
