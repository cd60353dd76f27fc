CREATE TABLE MLMDEnv (
  schema_version INT PRIMARY KEY
);
