-- What Headwater adds beside MLMD's tables. Safe to run again on every start.

-- MLMD scans the whole table to find the contexts of an execution or an artifact.
CREATE INDEX IF NOT EXISTS hw_association_execution_id ON Association (execution_id);
CREATE INDEX IF NOT EXISTS hw_attribution_artifact_id ON Attribution (artifact_id);
