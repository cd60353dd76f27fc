-- MLMD writes nothing to byte_value. Headwater keeps there what another column says less exactly.
ALTER TABLE ArtifactProperty DROP COLUMN byte_value;
ALTER TABLE ExecutionProperty DROP COLUMN byte_value;
ALTER TABLE ContextProperty DROP COLUMN byte_value;
DROP INDEX idx_eventpath_event_id;
