-- 0 was an execution type and 1 an artifact type, and they still are. 2 is a context type.
ALTER TABLE Type RENAME COLUMN is_artifact_type TO type_kind;
