-- Versions and descriptions of types, base types and parents of contexts are lost.
DROP TABLE ParentType;
DROP TABLE ParentContext;
DROP INDEX idx_type_name;
ALTER TABLE Type DROP COLUMN version;
ALTER TABLE Type DROP COLUMN description;
DROP INDEX idx_artifact_uri;
DROP INDEX idx_artifact_create_time_since_epoch;
DROP INDEX idx_artifact_last_update_time_since_epoch;
DROP INDEX idx_execution_create_time_since_epoch;
DROP INDEX idx_execution_last_update_time_since_epoch;
DROP INDEX idx_context_create_time_since_epoch;
DROP INDEX idx_context_last_update_time_since_epoch;
DROP INDEX idx_event_artifact_id;
DROP INDEX idx_event_execution_id;
