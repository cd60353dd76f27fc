-- External ids are lost. The unique key goes with the column: its name depends on what made it.
ALTER TABLE Type
  DROP KEY idx_type_external_id,
  DROP COLUMN external_id;
ALTER TABLE Artifact
  DROP KEY idx_artifact_external_id,
  DROP COLUMN external_id;
ALTER TABLE Execution
  DROP KEY idx_execution_external_id,
  DROP COLUMN external_id;
ALTER TABLE Context
  DROP KEY idx_context_external_id,
  DROP COLUMN external_id;
