-- Context types are lost. Their properties stay behind, as with MLMD.
DELETE FROM Type WHERE type_kind = 2;
ALTER TABLE Type RENAME COLUMN type_kind TO is_artifact_type;
