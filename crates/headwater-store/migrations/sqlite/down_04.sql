-- Names of artifacts and executions, states and times are lost. SQLite cannot drop a unique key, so
-- the two tables that have one are made anew.
CREATE TABLE ArtifactNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL,
  uri TEXT
);
INSERT INTO ArtifactNew (id, type_id, uri) SELECT id, type_id, uri FROM Artifact;
DROP TABLE Artifact;
ALTER TABLE ArtifactNew RENAME TO Artifact;

CREATE TABLE ExecutionNew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type_id INT NOT NULL
);
INSERT INTO ExecutionNew (id, type_id) SELECT id, type_id FROM Execution;
DROP TABLE Execution;
ALTER TABLE ExecutionNew RENAME TO Execution;

ALTER TABLE Context DROP COLUMN create_time_since_epoch;
ALTER TABLE Context DROP COLUMN last_update_time_since_epoch;
