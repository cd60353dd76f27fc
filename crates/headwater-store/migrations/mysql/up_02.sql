-- 0 was an execution type and 1 an artifact type, and they still are. 2 is a context type.
-- Three steps, because a column renamed by one step cannot be told from one that never was.
ALTER TABLE Type ADD COLUMN type_kind TINYINT(1) NOT NULL AFTER is_artifact_type;
UPDATE Type SET type_kind = is_artifact_type;
ALTER TABLE Type DROP COLUMN is_artifact_type;
