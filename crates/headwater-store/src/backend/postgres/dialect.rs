//! How PostgreSQL differs.

use crate::sql::{Dialect, Rows};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "postgres",
    numbered: true,
    in_list: "= ANY(?)",
    rows: Rows::Arrays,
    insert_ignore: "ON CONFLICT DO NOTHING",
    lock_rows: " FOR UPDATE",
    schema: include_str!("../../../migrations/postgres/current.sql"),
    additions: include_str!("../../../migrations/postgres/additions.sql"),
    removals: include_str!("../../../migrations/postgres/removals.sql"),
    commits_changes: false,
    upgrades: [
        include_str!("../../../migrations/postgres/up_01.sql"),
        include_str!("../../../migrations/postgres/up_02.sql"),
        include_str!("../../../migrations/postgres/up_03.sql"),
        include_str!("../../../migrations/postgres/up_04.sql"),
        include_str!("../../../migrations/postgres/up_05.sql"),
        include_str!("../../../migrations/postgres/up_06.sql"),
        include_str!("../../../migrations/postgres/up_07.sql"),
        include_str!("../../../migrations/postgres/up_08.sql"),
        include_str!("../../../migrations/postgres/up_09.sql"),
        include_str!("../../../migrations/postgres/up_10.sql"),
    ],
    downgrades: [
        include_str!("../../../migrations/postgres/down_00.sql"),
        include_str!("../../../migrations/postgres/down_01.sql"),
        include_str!("../../../migrations/postgres/down_02.sql"),
        include_str!("../../../migrations/postgres/down_03.sql"),
        include_str!("../../../migrations/postgres/down_04.sql"),
        include_str!("../../../migrations/postgres/down_05.sql"),
        include_str!("../../../migrations/postgres/down_06.sql"),
        include_str!("../../../migrations/postgres/down_07.sql"),
        include_str!("../../../migrations/postgres/down_08.sql"),
        include_str!("../../../migrations/postgres/down_09.sql"),
    ],
    path_order: "ctid",
    // A row goes where there is room, and the room may be before that of the row before.
    keeps_row_order: false,
    text_column: ("(", " COLLATE \"C\")"),
    int_column: ("CAST(", " AS BIGINT)"),
    text_value: "?",
    special_doubles: true,
    raw_protos: true,
    pairs_use_indexes: true,
    text_index_chars: Some(255),
    finds_prefixes: false,
    spellings: SPELLINGS,
};

/// An integer as a position in a text, which has 32 bits here.
macro_rules! position {
    ($value:literal) => {
        concat!(
            "CASE WHEN (",
            $value,
            ") IS NOT NULL THEN CAST(GREATEST(-2000000000, LEAST(",
            $value,
            ", 2000000000)) AS INTEGER) END"
        )
    };
}

/// What a filter becomes. Where functions have corner cases, these are those of SQLite.
const SPELLINGS: &[(&str, &str)] = &[
    (
        "CASE WHEN t#.string_value = ' ' || CAST(t#.byte_value AS TEXT) \
         THEN CAST(t#.byte_value AS TEXT) ELSE t#.string_value END",
        "CASE WHEN CONVERT_TO(t#.string_value, 'UTF8') = '\\x20'::bytea || t#.byte_value \
         THEN SUBSTR(t#.string_value, 2) ELSE t#.string_value END",
    ),
    // Only the letters from A to Z have two cases, and a pattern has no escapes.
    ("($1 LIKE $2)", "(LOWER($1 COLLATE \"C\") LIKE LOWER($2 COLLATE \"C\") ESCAPE '')"),
    ("LOWER($1)", "LOWER($1 COLLATE \"C\")"),
    ("UPPER($1)", "UPPER($1 COLLATE \"C\")"),
    // A calculation with integers stays at the largest or smallest where it would pass 64 bits: the
    // row that it comes from must not fail the query for all others. LEAST and GREATEST would make
    // a value of none.
    ("($1 + $2)", "(CAST($1 AS NUMERIC) + $2)"),
    ("($1 - $2)", "(CAST($1 AS NUMERIC) - $2)"),
    ("($1 * $2)", "(CAST($1 AS NUMERIC) * $2)"),
    (
        "(($1))",
        "(SELECT CASE WHEN w.v > 9223372036854775807 THEN 9223372036854775807 \
         WHEN w.v < -9223372036854775808 THEN CAST(-9223372036854775808 AS BIGINT) \
         ELSE CAST(w.v AS BIGINT) END FROM (SELECT $1) AS w(v))",
    ),
    (
        "($1 << $2)",
        "(CASE WHEN $2 BETWEEN 0 AND 63 THEN CAST($1 AS BIGINT) << CAST($2 AS INTEGER) \
         WHEN $2 > 63 THEN 0 WHEN $2 > -64 THEN CAST($1 AS BIGINT) >> CAST(-($2) AS INTEGER) \
         ELSE CAST($1 AS BIGINT) >> 63 END)",
    ),
    (
        "($1 >> $2)",
        "(CASE WHEN $2 BETWEEN 0 AND 63 THEN CAST($1 AS BIGINT) >> CAST($2 AS INTEGER) \
         WHEN $2 > 63 THEN CAST($1 AS BIGINT) >> 63 \
         WHEN $2 > -64 THEN CAST($1 AS BIGINT) << CAST(-($2) AS INTEGER) ELSE 0 END)",
    ),
    (
        "(CASE WHEN $1 = CAST($1 AS INTEGER) THEN CAST(CAST($1 AS INTEGER) AS TEXT) \
         ELSE CAST($1 AS TEXT) END)",
        "(CASE WHEN $1 = TRUNC($1) AND ABS($1) < 9e18 \
         THEN CAST(CAST($1 AS BIGINT) AS TEXT) ELSE CAST($1 AS TEXT) END)",
    ),
    // The number at the beginning of a text, or 0.
    (
        "CAST($1 AS INTEGER)",
        "CASE WHEN $1 IS NOT NULL THEN CAST(LEAST(9223372036854775807, \
         GREATEST(-9223372036854775808, COALESCE(CAST(SUBSTRING($1 \
         FROM '^\\s*([+-]{0,1}[0-9]+)') AS NUMERIC), 0))) AS BIGINT) END",
    ),
    (
        "CAST($1 AS DOUBLE PRECISION)",
        "CASE WHEN $1 IS NOT NULL THEN COALESCE(CAST(SUBSTRING($1 FROM \
         '^\\s*([+-]{0,1}([0-9]+\\.{0,1}[0-9]*|\\.[0-9]+)([eE][+-]{0,1}[0-9]+){0,1})') \
         AS DOUBLE PRECISION), 0) END",
    ),
    ("CAST(+$1 AS INTEGER)", "CAST(TRUNC($1) AS BIGINT)"),
    ("LENGTH($1)", "CAST(LENGTH($1) AS BIGINT)"),
    (
        "SUBSTR($1, $2)",
        concat!(
            "SUBSTR($1, ",
            position!("CASE WHEN $2 < 0 THEN LENGTH($1) + $2 + 1 ELSE $2 END"),
            ")"
        ),
    ),
    (
        "SUBSTR($1, $2, $3)",
        concat!(
            "(CASE WHEN $3 >= 0 THEN SUBSTR($1, ",
            position!("CASE WHEN $2 < 0 THEN LENGTH($1) + $2 + 1 ELSE $2 END"),
            ", ",
            position!("$3"),
            ") ELSE SUBSTR($1, ",
            position!("CASE WHEN $2 < 0 THEN LENGTH($1) + $2 + 1 + $3 ELSE $2 + $3 END"),
            ", ",
            position!("0 - $3"),
            ") END)"
        ),
    ),
    ("INSTR($1, $2)", "CAST(STRPOS($1, $2) AS BIGINT)"),
    ("TRIM($1)", "BTRIM($1)"),
    ("TRIM($1, $2)", "BTRIM($1, $2)"),
    // Of an integer it is one.
    ("SIGN($1)", "CASE WHEN $1 > 0 THEN 1 WHEN $1 < 0 THEN -1 WHEN $1 = 0 THEN 0 END"),
    // Halves go away from zero; what is large has none. All 17 digits are in the text.
    (
        "ROUND($1)",
        "CAST(CASE WHEN ABS($1) < 4503599627370496 THEN SIGN($1) * FLOOR(ABS($1) + 0.5) \
         ELSE $1 END AS DOUBLE PRECISION)",
    ),
    (
        "ROUND($1, $2)",
        "CASE WHEN $2 IS NOT NULL THEN CAST(ROUND(CAST(CAST($1 AS TEXT) AS NUMERIC), \
         CAST(GREATEST(0, LEAST($2, 30)) AS INTEGER)) AS DOUBLE PRECISION) END",
    ),
    // Without a value if one has none.
    ("MAX($*)", "CASE WHEN NUM_NULLS($*) = 0 THEN GREATEST($*) END"),
    ("MIN($*)", "CASE WHEN NUM_NULLS($*) = 0 THEN LEAST($*) END"),
];
