ALTER TABLE Event
  ADD KEY idx_event_artifact_id (artifact_id),
  DROP KEY UniqueEvent;
ALTER TABLE ArtifactProperty
  DROP KEY idx_artifact_property_int,
  DROP KEY idx_artifact_property_double,
  DROP KEY idx_artifact_property_string;
ALTER TABLE ExecutionProperty
  DROP KEY idx_execution_property_int,
  DROP KEY idx_execution_property_double,
  DROP KEY idx_execution_property_string;
ALTER TABLE ContextProperty
  DROP KEY idx_context_property_int,
  DROP KEY idx_context_property_double,
  DROP KEY idx_context_property_string;
