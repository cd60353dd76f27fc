-- MLMD indexes whole strings, and cannot upgrade where one is too long for an index.
CREATE INDEX idx_artifact_property_int
  ON ArtifactProperty (name, is_custom_property, int_value);
CREATE INDEX idx_artifact_property_double
  ON ArtifactProperty (name, is_custom_property, double_value);
CREATE INDEX idx_artifact_property_string
  ON ArtifactProperty (name, is_custom_property, left(string_value, 255));
CREATE INDEX idx_execution_property_int
  ON ExecutionProperty (name, is_custom_property, int_value);
CREATE INDEX idx_execution_property_double
  ON ExecutionProperty (name, is_custom_property, double_value);
CREATE INDEX idx_execution_property_string
  ON ExecutionProperty (name, is_custom_property, left(string_value, 255));
CREATE INDEX idx_context_property_int
  ON ContextProperty (name, is_custom_property, int_value);
CREATE INDEX idx_context_property_double
  ON ContextProperty (name, is_custom_property, double_value);
CREATE INDEX idx_context_property_string
  ON ContextProperty (name, is_custom_property, left(string_value, 255));

-- Of events that are there more than once, the last one stays, with its path. MLMD makes the table
-- anew, and its ids then begin at 1 again.
DELETE FROM Event USING Event AS later
  WHERE later.artifact_id = Event.artifact_id
    AND later.execution_id = Event.execution_id
    AND later.type = Event.type
    AND later.id > Event.id;
ALTER TABLE Event ADD CONSTRAINT UniqueEvent UNIQUE (artifact_id, execution_id, type);
DROP INDEX idx_event_artifact_id;
DELETE FROM EventPath WHERE event_id NOT IN (SELECT id FROM Event);
