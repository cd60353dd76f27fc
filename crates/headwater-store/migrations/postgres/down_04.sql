-- Names of artifacts and executions, states and times are lost. The unique key goes with the name:
-- its own name depends on what made the table.
ALTER TABLE Artifact
  DROP COLUMN state,
  DROP COLUMN name,
  DROP COLUMN create_time_since_epoch,
  DROP COLUMN last_update_time_since_epoch;
ALTER TABLE Execution
  DROP COLUMN last_known_state,
  DROP COLUMN name,
  DROP COLUMN create_time_since_epoch,
  DROP COLUMN last_update_time_since_epoch;
ALTER TABLE Context
  DROP COLUMN create_time_since_epoch,
  DROP COLUMN last_update_time_since_epoch;
