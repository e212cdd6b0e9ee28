"""The zone of the counted days moves to where the settings of all read tables are recorded.

Servers and workers of the build before go on reading it at the old place, which is a view now, and refuse another zone
as before.

Expands: the code before it runs on, with a view in the table's place.
"""

from servicekit.migrate import step

THEN = """
INSERT INTO built_under SELECT 'activity', 'METRICS_ZONE', zone FROM day_zone;
DROP TABLE day_zone;
CREATE VIEW day_zone AS SELECT 'days' AS name, value AS zone FROM built_under
WHERE projection = 'activity' AND setting = 'METRICS_ZONE'
"""

revision, down_revision, upgrade, downgrade = step("0002", "0001", THEN)
