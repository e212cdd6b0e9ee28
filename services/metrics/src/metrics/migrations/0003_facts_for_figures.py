"""Journeys, impressions, promotions and restated days; and more about each day, content and order.

Rebuild `activity`, `registry` and `orders` afterwards: figures by creator, content and tag, cohorts by first activity,
and what creators get leave out what was folded before.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
ALTER TABLE member_day
    ADD COLUMN first_at timestamptz,
    ADD COLUMN last_at timestamptz,
    ADD COLUMN long_first_at timestamptz,
    ADD COLUMN long_last_at timestamptz;
CREATE TABLE member_content_day (
    content_id text NOT NULL,
    day date NOT NULL,
    member_id text NOT NULL,
    views bigint NOT NULL,
    likes bigint NOT NULL,
    comments bigint NOT NULL,
    shares bigint NOT NULL,
    ratings bigint NOT NULL,
    completions bigint NOT NULL,
    purchases bigint NOT NULL,
    first_at timestamptz,
    last_at timestamptz,
    long_first_at timestamptz,
    long_last_at timestamptz,
    watched_ms bigint NOT NULL,
    PRIMARY KEY (content_id, day, member_id)
);
CREATE TABLE restated_day (
    day date NOT NULL,
    seen_on date NOT NULL,
    reason text NOT NULL,
    interactions bigint NOT NULL,
    purchases bigint NOT NULL,
    first_recorded_at timestamptz NOT NULL,
    last_recorded_at timestamptz NOT NULL,
    PRIMARY KEY (day, seen_on, reason)
);
CREATE INDEX restated_day_seen ON restated_day (seen_on);
ALTER TABLE content
    ADD COLUMN creator_id text NOT NULL DEFAULT '',
    ADD COLUMN kind text NOT NULL DEFAULT '',
    ADD COLUMN title text NOT NULL DEFAULT '',
    ADD COLUMN tags jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN category text,
    ADD COLUMN access text NOT NULL DEFAULT '',
    ADD COLUMN duration_ms bigint;
CREATE INDEX content_creator ON content (creator_id);
CREATE TABLE promotion (
    promotion_id text NOT NULL PRIMARY KEY,
    creator_id text NOT NULL,
    name text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE TABLE member_content (
    content_id text NOT NULL,
    member_id text NOT NULL,
    viewed_at timestamptz,
    quoted_at timestamptz,
    paid_at timestamptz,
    completed_at timestamptz,
    rating bigint,
    rated_at timestamptz,
    PRIMARY KEY (content_id, member_id)
);
CREATE INDEX member_content_viewed ON member_content (viewed_at);
ALTER TABLE placed_order
    ADD COLUMN creator_id text NOT NULL DEFAULT '',
    ADD COLUMN product_id text NOT NULL DEFAULT '',
    ADD COLUMN list_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN discount_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_minor bigint,
    ADD COLUMN promotion_id text,
    ADD COLUMN recorded_at timestamptz,
    ADD COLUMN backfill boolean NOT NULL DEFAULT false;
CREATE INDEX placed_order_creator ON placed_order (creator_id, paid_at);
CREATE TABLE shown_content (
    member_id text NOT NULL,
    content_id text NOT NULL,
    answer_id text NOT NULL,
    slot text NOT NULL,
    method text NOT NULL,
    place bigint NOT NULL,
    shown_at timestamptz NOT NULL,
    PRIMARY KEY (member_id, content_id, answer_id)
);
CREATE INDEX shown_content_shown ON shown_content (shown_at)
"""

revision, down_revision, upgrade, downgrade = step("0003", "0002", TABLES)
