-- Takes away what Headwater adds, before a store goes back to an older version.
DROP INDEX IF EXISTS hw_association_execution_id;
DROP INDEX IF EXISTS hw_attribution_artifact_id;
DROP INDEX IF EXISTS hw_artifact_type_id;
DROP INDEX IF EXISTS hw_execution_type_id;
DROP INDEX IF EXISTS hw_context_type_id;
DROP TABLE IF EXISTS hw_type_key;
