"""Read tables of activity, registry and orders.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE member_day (
    member_id text NOT NULL,
    day date NOT NULL,
    views bigint NOT NULL,
    likes bigint NOT NULL,
    comments bigint NOT NULL,
    shares bigint NOT NULL,
    ratings bigint NOT NULL,
    completions bigint NOT NULL,
    purchases bigint NOT NULL,
    PRIMARY KEY (member_id, day)
);
CREATE INDEX member_day_day ON member_day (day);
CREATE TABLE day_zone (
    name text NOT NULL PRIMARY KEY,
    zone text NOT NULL
);
CREATE TABLE member (
    member_id text NOT NULL PRIMARY KEY,
    role text NOT NULL,
    registered_at timestamptz NOT NULL
);
CREATE TABLE content (
    content_id text NOT NULL PRIMARY KEY,
    published_at timestamptz NOT NULL
);
CREATE TABLE placed_order (
    order_id text NOT NULL PRIMARY KEY,
    member_id text NOT NULL,
    charged_minor bigint NOT NULL,
    currency text NOT NULL,
    placed_at timestamptz,
    paid_at timestamptz
);
CREATE INDEX placed_order_paid ON placed_order (currency, paid_at)
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
