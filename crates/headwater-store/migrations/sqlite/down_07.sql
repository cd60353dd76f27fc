CREATE TABLE EventNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  artifact_id INT NOT NULL,
  execution_id INT NOT NULL,
  type INT NOT NULL,
  milliseconds_since_epoch INT
);
INSERT INTO EventNew (id, artifact_id, execution_id, type, milliseconds_since_epoch)
  SELECT id, artifact_id, execution_id, type, milliseconds_since_epoch FROM Event;
DROP TABLE Event;
ALTER TABLE EventNew RENAME TO Event;
CREATE INDEX idx_event_artifact_id ON Event (artifact_id);
CREATE INDEX idx_event_execution_id ON Event (execution_id);

DROP INDEX idx_artifact_property_int;
DROP INDEX idx_artifact_property_double;
DROP INDEX idx_artifact_property_string;
DROP INDEX idx_execution_property_int;
DROP INDEX idx_execution_property_double;
DROP INDEX idx_execution_property_string;
DROP INDEX idx_context_property_int;
DROP INDEX idx_context_property_double;
DROP INDEX idx_context_property_string;
