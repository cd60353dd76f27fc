-- External ids are lost. MLMD forgets this step on PostgreSQL.
ALTER TABLE Type DROP COLUMN external_id;
ALTER TABLE Artifact DROP COLUMN external_id;
ALTER TABLE Execution DROP COLUMN external_id;
ALTER TABLE Context DROP COLUMN external_id;
