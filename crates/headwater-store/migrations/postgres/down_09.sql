-- Booleans and protos cannot be kept. MLMD leaves their rows without a value, and can then never
-- again read the nodes they belong to, so they go altogether: who runs this has asked first.
DELETE FROM ArtifactProperty WHERE proto_value IS NOT NULL OR bool_value IS NOT NULL;
DELETE FROM ExecutionProperty WHERE proto_value IS NOT NULL OR bool_value IS NOT NULL;
DELETE FROM ContextProperty WHERE proto_value IS NOT NULL OR bool_value IS NOT NULL;
ALTER TABLE ArtifactProperty
  DROP COLUMN proto_value,
  DROP COLUMN bool_value;
ALTER TABLE ExecutionProperty
  DROP COLUMN proto_value,
  DROP COLUMN bool_value;
ALTER TABLE ContextProperty
  DROP COLUMN proto_value,
  DROP COLUMN bool_value;
