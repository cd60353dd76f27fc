-- What contexts hold is lost.
DROP TABLE Association;
DROP TABLE Attribution;
