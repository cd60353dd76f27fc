-- Context types are lost. Their properties stay behind, as with MLMD.
DELETE FROM Type WHERE type_kind = 2;
-- Three steps, because a column renamed by one step cannot be told from one that never was.
ALTER TABLE Type ADD COLUMN is_artifact_type TINYINT(1) NOT NULL AFTER type_kind;
UPDATE Type SET is_artifact_type = type_kind;
ALTER TABLE Type DROP COLUMN type_kind;
