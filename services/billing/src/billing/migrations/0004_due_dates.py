"""Due dates of streams: open payments get theirs, and what the reconciler kept before goes."""

from servicekit.migrate import step

OPEN_PAYMENTS = """
INSERT INTO due_date (stream_type, stream_id, due_at, version, set_at, correlation_id)
SELECT 'payment', substr(e.stream, length('payment-') + 1), e.recorded_at + interval '30 seconds', e.version,
       e.recorded_at, coalesce(e.meta->>'correlation_id', '')
FROM events e WHERE e.type = 'payment.initiated'
  AND NOT EXISTS (SELECT 1 FROM events later WHERE later.stream = e.stream AND later.version > e.version);
DROP TABLE payment_check;
DROP TABLE payment_book;
DELETE FROM fold_position WHERE projection = 'payment_book';
DELETE FROM dead_letter WHERE projection = 'payment_book'
"""

revision, down_revision, upgrade, downgrade = step("0004", "0003", tables=4, then=OPEN_PAYMENTS)
