ALTER TABLE ArtifactProperty
  ADD KEY idx_artifact_property_int (name, is_custom_property, int_value),
  ADD KEY idx_artifact_property_double (name, is_custom_property, double_value),
  ADD KEY idx_artifact_property_string (name, is_custom_property, string_value(255));
ALTER TABLE ExecutionProperty
  ADD KEY idx_execution_property_int (name, is_custom_property, int_value),
  ADD KEY idx_execution_property_double (name, is_custom_property, double_value),
  ADD KEY idx_execution_property_string (name, is_custom_property, string_value(255));
ALTER TABLE ContextProperty
  ADD KEY idx_context_property_int (name, is_custom_property, int_value),
  ADD KEY idx_context_property_double (name, is_custom_property, double_value),
  ADD KEY idx_context_property_string (name, is_custom_property, string_value(255));

-- Of events that are there more than once, the last one stays, with its path.
DELETE Event FROM Event JOIN Event AS later
  ON later.artifact_id = Event.artifact_id
    AND later.execution_id = Event.execution_id
    AND later.type = Event.type
    AND later.id > Event.id;
ALTER TABLE Event
  ADD UNIQUE KEY UniqueEvent (artifact_id, execution_id, type),
  DROP KEY idx_event_artifact_id;
DELETE FROM EventPath WHERE event_id NOT IN (SELECT id FROM Event);
