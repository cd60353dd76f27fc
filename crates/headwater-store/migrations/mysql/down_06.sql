-- MLMD writes nothing to byte_value. Headwater keeps there what another column says less exactly.
-- Strings are cut to what a TEXT holds: 65,535 bytes. MLMD counts characters, and cannot downgrade
-- where these take more bytes than that, so such strings are cut again.
UPDATE ArtifactProperty SET string_value = LEFT(string_value, 65535)
  WHERE LENGTH(string_value) > 65535;
UPDATE ArtifactProperty SET string_value = LEFT(string_value, 16383)
  WHERE LENGTH(string_value) > 65535;
ALTER TABLE ArtifactProperty
  DROP COLUMN byte_value,
  MODIFY COLUMN string_value TEXT;
UPDATE ExecutionProperty SET string_value = LEFT(string_value, 65535)
  WHERE LENGTH(string_value) > 65535;
UPDATE ExecutionProperty SET string_value = LEFT(string_value, 16383)
  WHERE LENGTH(string_value) > 65535;
ALTER TABLE ExecutionProperty
  DROP COLUMN byte_value,
  MODIFY COLUMN string_value TEXT;
UPDATE ContextProperty SET string_value = LEFT(string_value, 65535)
  WHERE LENGTH(string_value) > 65535;
UPDATE ContextProperty SET string_value = LEFT(string_value, 16383)
  WHERE LENGTH(string_value) > 65535;
ALTER TABLE ContextProperty
  DROP COLUMN byte_value,
  MODIFY COLUMN string_value TEXT;
ALTER TABLE EventPath DROP KEY idx_eventpath_event_id;
