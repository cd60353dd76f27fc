-- MLMD makes the tables anew: its ids then begin at 1 again, and times do not fit in its columns.
-- Its downgrade to version 8 leaves the column behind, and its upgrade empties it.
ALTER TABLE Type DROP COLUMN IF EXISTS external_id;
ALTER TABLE Type ADD COLUMN external_id VARCHAR(255) UNIQUE;
CREATE INDEX idx_type_external_id ON Type (external_id);
ALTER TABLE Artifact DROP COLUMN IF EXISTS external_id;
ALTER TABLE Artifact ADD COLUMN external_id VARCHAR(255) UNIQUE;
CREATE INDEX idx_artifact_external_id ON Artifact (external_id);
ALTER TABLE Execution DROP COLUMN IF EXISTS external_id;
ALTER TABLE Execution ADD COLUMN external_id VARCHAR(255) UNIQUE;
CREATE INDEX idx_execution_external_id ON Execution (external_id);
ALTER TABLE Context DROP COLUMN IF EXISTS external_id;
ALTER TABLE Context ADD COLUMN external_id VARCHAR(255) UNIQUE;
CREATE INDEX idx_context_external_id ON Context (external_id);
