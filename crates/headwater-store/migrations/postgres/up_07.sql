ALTER TABLE ArtifactProperty ADD COLUMN byte_value BYTEA;
ALTER TABLE ExecutionProperty ADD COLUMN byte_value BYTEA;
ALTER TABLE ContextProperty ADD COLUMN byte_value BYTEA;
CREATE INDEX idx_eventpath_event_id ON EventPath (event_id);
