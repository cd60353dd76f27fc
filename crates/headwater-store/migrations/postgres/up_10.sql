ALTER TABLE ArtifactProperty
  ADD COLUMN proto_value BYTEA,
  ADD COLUMN bool_value BOOLEAN;
ALTER TABLE ExecutionProperty
  ADD COLUMN proto_value BYTEA,
  ADD COLUMN bool_value BOOLEAN;
ALTER TABLE ContextProperty
  ADD COLUMN proto_value BYTEA,
  ADD COLUMN bool_value BOOLEAN;
