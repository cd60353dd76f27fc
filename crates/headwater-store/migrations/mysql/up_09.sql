ALTER TABLE Type
  ADD COLUMN external_id VARCHAR(255),
  ADD UNIQUE KEY UniqueTypeExternalId (external_id),
  ADD KEY idx_type_external_id (external_id);
ALTER TABLE Artifact
  ADD COLUMN external_id VARCHAR(255),
  ADD UNIQUE KEY UniqueArtifactExternalId (external_id),
  ADD KEY idx_artifact_external_id (external_id);
ALTER TABLE Execution
  ADD COLUMN external_id VARCHAR(255),
  ADD UNIQUE KEY UniqueExecutionExternalId (external_id),
  ADD KEY idx_execution_external_id (external_id);
ALTER TABLE Context
  ADD COLUMN external_id VARCHAR(255),
  ADD UNIQUE KEY UniqueContextExternalId (external_id),
  ADD KEY idx_context_external_id (external_id);
