CREATE TABLE Context (
  id SERIAL PRIMARY KEY,
  type_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  UNIQUE (type_id, name)
);

-- MLMD makes is_custom_property a SMALLINT here and a BOOLEAN everywhere else, and can then put no
-- property of a context.
CREATE TABLE ContextProperty (
  context_id INT NOT NULL,
  name VARCHAR(255) NOT NULL,
  is_custom_property BOOLEAN NOT NULL,
  int_value INT,
  double_value DOUBLE PRECISION,
  string_value TEXT,
  PRIMARY KEY (context_id, name, is_custom_property)
);
