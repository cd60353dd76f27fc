-- Version 0 is told by the tables that are there.
DROP TABLE MLMDEnv;
