-- Takes away what Headwater adds, before a store goes back to an older version.
DROP INDEX hw_association_execution_id ON Association;
DROP INDEX hw_attribution_artifact_id ON Attribution;
DROP INDEX hw_artifact_type_id ON Artifact;
DROP INDEX hw_execution_type_id ON Execution;
DROP INDEX hw_context_type_id ON Context;
DROP TABLE IF EXISTS hw_type_key;
