"""Read tables.

Expands: the code before it runs on.
"""

from servicekit.migrate import step

TABLES = """
CREATE TABLE posting (
    posting_id text PRIMARY KEY,
    order_id text NOT NULL,
    account text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    occurred_at timestamptz NOT NULL
);
CREATE INDEX posting_by_time ON posting (occurred_at, posting_id);
CREATE INDEX posting_by_account ON posting (account, occurred_at, posting_id);
CREATE INDEX posting_by_order ON posting (order_id);
CREATE TABLE account_balance (
    account text NOT NULL,
    currency text NOT NULL,
    debit_minor bigint NOT NULL,
    credit_minor bigint NOT NULL,
    postings bigint NOT NULL,
    PRIMARY KEY (account, currency)
);
CREATE TABLE order_book (
    order_id text PRIMARY KEY,
    member_id text NOT NULL,
    creator_id text NOT NULL,
    product_id text NOT NULL,
    currency text NOT NULL,
    list_minor bigint NOT NULL,
    discount_minor bigint NOT NULL,
    charged_minor bigint NOT NULL,
    promotion_id text,
    placed_at timestamptz NOT NULL,
    paid_at timestamptz
);
CREATE INDEX order_book_by_member ON order_book (member_id, placed_at, order_id);
CREATE TABLE entitlement (
    entitlement_id text PRIMARY KEY,
    member_id text NOT NULL,
    product_id text NOT NULL,
    source text NOT NULL,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX entitlement_by_member ON entitlement (member_id, granted_at, entitlement_id);
CREATE TABLE product_price (
    product_id text PRIMARY KEY,
    creator_id text NOT NULL,
    title text NOT NULL,
    pricing text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    priced_at timestamptz NOT NULL
);
CREATE TABLE promotion (
    promotion_id text PRIMARY KEY,
    creator_id text NOT NULL,
    name text NOT NULL,
    product_ids jsonb NOT NULL,
    amount_off_minor bigint,
    currency text,
    percent_off_bps bigint,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE TABLE content_owner (
    content_id text PRIMARY KEY,
    creator_id text NOT NULL,
    access text NOT NULL
);
CREATE TABLE member (
    member_id text PRIMARY KEY
)
"""

revision, down_revision, upgrade, downgrade = step("0001", None, TABLES)
