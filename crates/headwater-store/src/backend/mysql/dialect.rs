//! How MySQL and MariaDB differ.
//!
//! MLMD says that its texts are Latin-1 and sends UTF-8, so that each byte is stored as a
//! character. So do we: the bytes that come back are those that were sent, to either. A filter
//! makes the text of the bytes again before it looks at characters.

use crate::sql::{Dialect, Rows};

pub(crate) static DIALECT: Dialect = Dialect {
    name: "mysql",
    numbered: false,
    in_list: "IN (?)",
    rows: Rows::Lists,
    insert_ignore: "ON DUPLICATE KEY UPDATE {column} = VALUES({column})",
    lock_rows: " FOR UPDATE",
    schema: include_str!("../../../migrations/mysql/current.sql"),
    additions: include_str!("../../../migrations/mysql/additions.sql"),
    removals: include_str!("../../../migrations/mysql/removals.sql"),
    commits_changes: true,
    upgrades: [
        include_str!("../../../migrations/mysql/up_01.sql"),
        include_str!("../../../migrations/mysql/up_02.sql"),
        include_str!("../../../migrations/mysql/up_03.sql"),
        include_str!("../../../migrations/mysql/up_04.sql"),
        include_str!("../../../migrations/mysql/up_05.sql"),
        include_str!("../../../migrations/mysql/up_06.sql"),
        include_str!("../../../migrations/mysql/up_07.sql"),
        include_str!("../../../migrations/mysql/up_08.sql"),
        include_str!("../../../migrations/mysql/up_09.sql"),
        include_str!("../../../migrations/mysql/up_10.sql"),
    ],
    downgrades: [
        include_str!("../../../migrations/mysql/down_00.sql"),
        include_str!("../../../migrations/mysql/down_01.sql"),
        include_str!("../../../migrations/mysql/down_02.sql"),
        include_str!("../../../migrations/mysql/down_03.sql"),
        include_str!("../../../migrations/mysql/down_04.sql"),
        include_str!("../../../migrations/mysql/down_05.sql"),
        include_str!("../../../migrations/mysql/down_06.sql"),
        include_str!("../../../migrations/mysql/down_07.sql"),
        include_str!("../../../migrations/mysql/down_08.sql"),
        include_str!("../../../migrations/mysql/down_09.sql"),
    ],
    // The rows of an index are in the order in which they were written.
    path_order: "event_id",
    keeps_row_order: false,
    text_column: (
        "(CONVERT(CAST(CONVERT(",
        " USING latin1) AS BINARY) USING utf8mb4) COLLATE {collation})",
    ),
    int_column: ("", ""),
    text_value: "(CONVERT(CAST(? AS BINARY) USING utf8mb4) COLLATE {collation})",
    special_doubles: false,
    raw_protos: false,
    pairs_use_indexes: false,
    text_index_chars: None,
    finds_prefixes: false,
    spellings: SPELLINGS,
};

/// A property's double, where it does not stand for NaN (`rows.rs`).
macro_rules! double {
    () => {
        "CASE WHEN t#.byte_value IS NULL OR t#.double_value <> 1.7976931348623155e308 \
         THEN t#.double_value END"
    };
}

/// A text in lower or upper case, of the letters A to Z only: the character set has no others, and
/// keeps every byte.
macro_rules! cased {
    ($function:literal, $value:literal) => {
        concat!(
            "(CONVERT(CAST(",
            $function,
            "(CONVERT(CAST(",
            $value,
            " AS BINARY) USING geostd8)) AS BINARY) USING utf8mb4) COLLATE {collation})"
        )
    };
}

/// An integer that stays the largest or smallest where it would pass 64 bits: the row that it
/// comes from must not fail the query for all others.
macro_rules! bounded {
    ($value:literal) => {
        concat!(
            "CAST(GREATEST(-9223372036854775808, LEAST(9223372036854775807, ",
            $value,
            ")) AS SIGNED)"
        )
    };
}

/// A regular expression of characters of the second argument at the beginning of a text; of none
/// of them it is one that never matches.
macro_rules! class {
    () => {
        "IF($2 = '', '^x^', CONCAT('^[', REPLACE(REPLACE(REPLACE(REPLACE(REPLACE($2, \
         '\\', '\\\\'), ']', '\\]'), '[', '\\['), '^', '\\^'), '-', '\\-'), ']+'))"
    };
}

/// What a filter becomes. Where functions have corner cases, these are those of SQLite.
const SPELLINGS: &[(&str, &str)] = &[
    ("CASE WHEN t#.double_value < 'nan' THEN t#.double_value END", double!()),
    (
        "COALESCE(CASE WHEN t#.double_value < 'nan' THEN t#.double_value END, t#.int_value)",
        concat!("COALESCE(", double!(), ", t#.int_value)"),
    ),
    (
        "CASE WHEN t#.string_value = ' ' || CAST(t#.byte_value AS TEXT) \
         THEN CAST(t#.byte_value AS TEXT) ELSE t#.string_value END",
        "CASE WHEN CAST(CONVERT(t#.string_value USING latin1) AS BINARY) = \
         CONCAT(X'20', t#.byte_value) \
         THEN SUBSTR(t#.string_value, 2) ELSE t#.string_value END",
    ),
    // The bytes of UTF-8.
    ("($1)", "CAST($1 AS BINARY)"),
    // A pattern has no escapes: what would be one stands for itself. Cases are not told apart.
    (
        "($1 LIKE $2)",
        concat!(
            "(",
            cased!("LOWER", "$1"),
            " LIKE REPLACE(",
            cased!("LOWER", "$2"),
            ", '|', '||') ESCAPE '|')"
        ),
    ),
    ("LOWER($1)", cased!("LOWER", "$1")),
    ("UPPER($1)", cased!("UPPER", "$1")),
    ("($1 + $2)", bounded!("CAST($1 AS DECIMAL(20)) + $2")),
    ("($1 - $2)", bounded!("CAST($1 AS DECIMAL(20)) - $2")),
    ("($1 * $2)", bounded!("CAST($1 AS DECIMAL(20)) * $2")),
    // What bits make is unsigned here.
    ("(~ $1)", "CAST(~ $1 AS SIGNED)"),
    ("($1 | $2)", "CAST($1 | $2 AS SIGNED)"),
    ("($1 & $2)", "CAST($1 & $2 AS SIGNED)"),
    ("(($1 | $2) - ($1 & $2))", "CAST($1 ^ $2 AS SIGNED)"),
    (
        "($1 << $2)",
        "(CASE WHEN $2 > 63 THEN 0 WHEN $2 >= 0 THEN CAST($1 << $2 AS SIGNED) \
         WHEN $1 < 0 THEN CAST(~(~$1 >> LEAST(-($2), 63)) AS SIGNED) \
         ELSE CAST($1 >> LEAST(-($2), 64) AS SIGNED) END)",
    ),
    (
        "($1 >> $2)",
        "(CASE WHEN $2 < -63 THEN 0 WHEN $2 < 0 THEN CAST($1 << -($2) AS SIGNED) \
         WHEN $1 < 0 THEN CAST(~(~$1 >> LEAST($2, 63)) AS SIGNED) \
         ELSE CAST($1 >> LEAST($2, 64) AS SIGNED) END)",
    ),
    ("(CAST($1 AS DOUBLE PRECISION) / NULLIF($2, 0))", "(CAST($1 AS DOUBLE) / NULLIF($2, 0))"),
    ("($1 / NULLIF($2, 0))", "($1 DIV NULLIF($2, 0))"),
    (
        "(CASE WHEN $1 = CAST($1 AS INTEGER) THEN CAST(CAST($1 AS INTEGER) AS TEXT) \
         ELSE CAST($1 AS TEXT) END)",
        "(CASE WHEN $1 = TRUNCATE($1, 0) AND ABS($1) < 9e18 \
         THEN CAST(CAST($1 AS SIGNED) AS CHAR) ELSE CAST($1 AS CHAR) END)",
    ),
    ("CAST($1 AS TEXT)", "CAST($1 AS CHAR)"),
    ("CAST($1 AS DOUBLE PRECISION)", "CAST($1 AS DOUBLE)"),
    ("CAST(+$1 AS DOUBLE PRECISION)", "CAST($1 AS DOUBLE)"),
    (
        "CAST($1 AS INTEGER)",
        "CASE WHEN $1 IS NOT NULL THEN CAST(GREATEST(-9223372036854775808, \
         LEAST(9223372036854775807, COALESCE(CAST(REGEXP_SUBSTR($1, \
         '^[[:space:]]*[+-]{0,1}[0-9]+') AS DECIMAL(65)), 0))) AS SIGNED) END",
    ),
    ("CAST(+$1 AS INTEGER)", "CAST(TRUNCATE($1, 0) AS SIGNED)"),
    ("LENGTH($1)", "CHAR_LENGTH($1)"),
    (
        "SUBSTR($1, $2)",
        "SUBSTR($1, GREATEST(1, CASE WHEN $2 < 0 THEN CHAR_LENGTH($1) + $2 + 1 ELSE $2 END))",
    ),
    (
        "SUBSTR($1, $2, $3)",
        concat!(
            "(CASE WHEN $3 < 0 THEN SUBSTR($1, GREATEST(1, ",
            "CASE WHEN $2 < 0 THEN CHAR_LENGTH($1) + $2 + 1 + $3 ELSE $2 + $3 END), ",
            "LEAST(-($3), GREATEST(0, ",
            "CASE WHEN $2 < 0 THEN CHAR_LENGTH($1) + $2 ELSE $2 - 1 END))) ",
            "WHEN $2 < 0 AND CHAR_LENGTH($1) + $2 < 0 ",
            "THEN SUBSTR($1, 1, GREATEST(0, $3 + CHAR_LENGTH($1) + $2)) ",
            "WHEN $2 = 0 THEN SUBSTR($1, 1, GREATEST(0, $3 - 1)) ELSE SUBSTR($1, $2, $3) END)",
        ),
    ),
    ("(SUBSTR($1, 1, LENGTH($2)) = $2)", "(SUBSTR($1, 1, CHAR_LENGTH($2)) = $2)"),
    (
        "(LENGTH($1) >= LENGTH($2) AND SUBSTR($1, LENGTH($1) - LENGTH($2) + 1) = $2)",
        "(CHAR_LENGTH($1) >= CHAR_LENGTH($2) AND RIGHT($1, CHAR_LENGTH($2)) = $2)",
    ),
    // The end of a text is the beginning of the reversed one.
    (
        "TRIM($1, $2)",
        concat!(
            "REVERSE(REGEXP_REPLACE(REVERSE(REGEXP_REPLACE($1, ",
            class!(),
            ", '')), ",
            class!(),
            ", ''))"
        ),
    ),
    ("LTRIM($1, $2)", concat!("REGEXP_REPLACE($1, ", class!(), ", '')")),
    ("RTRIM($1, $2)", concat!("REVERSE(REGEXP_REPLACE(REVERSE($1), ", class!(), ", ''))")),
    ("REPLACE($1, $2, $3)", "CASE WHEN $3 IS NOT NULL THEN REPLACE($1, $2, $3) END"),
    // Halves go away from zero; what is large has none.
    (
        "ROUND($1)",
        "(CASE WHEN ABS(CAST($1 AS DOUBLE)) < 4503599627370496e0 \
         THEN SIGN($1) * FLOOR(ABS(CAST($1 AS DOUBLE)) + 0.5e0) ELSE CAST($1 AS DOUBLE) END)",
    ),
    (
        "ROUND($1, $2)",
        "(CASE WHEN ABS(CAST($1 AS DOUBLE)) < 1e15 \
         THEN CAST(ROUND(CAST(CAST($1 AS CHAR) AS DECIMAL(65, 30)), \
         GREATEST(0, LEAST($2, 30))) AS DOUBLE) ELSE $1 END)",
    ),
    ("MAX($*)", "GREATEST($*)"),
    ("MIN($*)", "LEAST($*)"),
];
