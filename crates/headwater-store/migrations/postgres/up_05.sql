ALTER TABLE Artifact
  ADD COLUMN state INT,
  ADD COLUMN name VARCHAR(255),
  ADD COLUMN create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  ADD CONSTRAINT UniqueArtifactTypeName UNIQUE (type_id, name);

ALTER TABLE Execution
  ADD COLUMN last_known_state INT,
  ADD COLUMN name VARCHAR(255),
  ADD COLUMN create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  ADD CONSTRAINT UniqueExecutionTypeName UNIQUE (type_id, name);

ALTER TABLE Context
  ADD COLUMN create_time_since_epoch BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN last_update_time_since_epoch BIGINT NOT NULL DEFAULT 0;
