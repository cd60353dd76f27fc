-- Contexts are lost.
DROP TABLE Context;
DROP TABLE ContextProperty;
