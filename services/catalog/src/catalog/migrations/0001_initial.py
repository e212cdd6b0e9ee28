"""Feed, counters, comments and the access mirror.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE content_index (
    content_id text NOT NULL, creator_id text NOT NULL, kind text NOT NULL, title text NOT NULL, excerpt text NOT NULL,
    tags jsonb NOT NULL, access text NOT NULL, published_at timestamptz NOT NULL, PRIMARY KEY (content_id)
);
CREATE INDEX content_index_newest ON content_index (published_at DESC, content_id);
CREATE INDEX content_index_creator ON content_index (creator_id, published_at DESC, content_id);
CREATE INDEX content_index_tags ON content_index USING gin (tags);
CREATE TABLE content_counter (
    content_id text NOT NULL, views bigint NOT NULL, likes bigint NOT NULL, comments bigint NOT NULL,
    shares bigint NOT NULL, ratings bigint NOT NULL, rating_sum bigint NOT NULL, completions bigint NOT NULL,
    PRIMARY KEY (content_id)
);
CREATE TABLE content_comment (
    content_id text NOT NULL, comment_id text NOT NULL, member_id text NOT NULL, commented_at timestamptz NOT NULL,
    PRIMARY KEY (content_id, comment_id)
);
CREATE INDEX content_comment_order ON content_comment (content_id, commented_at, comment_id);
CREATE TABLE access_mirror (
    entitlement_id text NOT NULL, member_id text NOT NULL, product_id text NOT NULL, expires_at timestamptz,
    PRIMARY KEY (entitlement_id)
);
CREATE INDEX access_mirror_member ON access_mirror (member_id, product_id);
CREATE TABLE member (member_id text NOT NULL, PRIMARY KEY (member_id));
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
