//! What filters become, as text that is reviewed: the SQL, what is bound, the statements that look
//! for candidates, how SQLite goes about each; or what a caller reads who got it wrong.
//!
//! `UPDATE=1 cargo test` rewrites the file.

use std::fmt::Write as _;

use headwater_proto::ml_metadata::{Artifact, Context, Execution};

use super::{Filter, Language};
use crate::backend::{SERVERS, Statement};
use crate::kinds::Node;
use crate::sql::Dialect;
use crate::sql::build::Builder;
use crate::sql::golden::{compare, plan};
use crate::store::Store;
use crate::url::StoreUrl;

/// What is filtered, in which language, and the filter.
const CASES: &[(&str, Language, &[&str])] = &[
    ("artifact", Language::Contract, CONTRACT_ARTIFACTS),
    ("execution", Language::Contract, CONTRACT_EXECUTIONS),
    ("context", Language::Contract, CONTRACT_CONTEXTS),
    ("artifact", Language::Graph, GRAPH_ARTIFACTS),
    ("context", Language::Graph, GRAPH_CONTEXTS),
];

const CONTRACT_ARTIFACTS: &[&str] = &[
    "id = 1",
    "id IN (1, 2, 3) AND uri NOT IN ('a', 'b')",
    "name = 'x'",
    "uri LIKE 's3://%' AND NOT (external_id IS NULL)",
    "type = 'Model'",
    "type_id = 10 AND create_time_since_epoch BETWEEN 1 AND 2",
    "state = LIVE",
    "state != LIVE OR state NOT IN (PENDING, DELETED)",
    "properties.accuracy.double_value > 0.9",
    "properties.a.int_value = 1 AND custom_properties.`b c`.string_value = 'x'",
    "properties.a.int_value = 1 OR properties.b.int_value = 1",
    "name = 'a' OR (uri = 'b' AND state = LIVE) OR contexts_c.id IN (1, 2)",
    "properties.flag.bool_value",
    "properties.s.string_value IS NULL",
    "contexts_run.type = 'run' AND contexts_run.name = 'r1'",
    "contexts_run.name = 'r1' AND events_0.type = OUTPUT",
    "contexts_a.id = 1 AND contexts_b.id = 2",
    "contexts_a.id < contexts_b.id",
    "contexts_a.create_time_since_epoch > id AND name != 'x'",
    "id + 1 > 2 * type_id AND -id < 0 AND id / 2 >= 0.5",
    "(id & 3 | 4) ^ ~1 << 2 >> 1 = 0",
    "LOWER(name) = 'x' AND SUBSTR(uri, 1, 3) = 's3:' AND LENGTH(name || uri) > 2",
    "COALESCE(name, uri, 'none') = 'x' AND STARTS_WITH(name, 'm') AND IF(id > 1, TRUE, FALSE)",
    "CASE WHEN id = 1 THEN 'a' ELSE 'b' END = 'a' AND CASE state WHEN 2 THEN 1 END = 1",
    "CAST(id AS STRING) = '1' AND CAST(name AS INT64) = 1 AND CAST(2.5 AS INT64) = 3",
    "(id = 1) IS TRUE AND (name = 'x') IS NOT FALSE AND NULL IS NULL",
    "name = 'it\\'s; DROP TABLE Type; --' AND properties.`\\\"; --`.int_value = 1",
];

const CONTRACT_EXECUTIONS: &[&str] = &[
    "last_known_state = RUNNING AND contexts_p.name = 'p'",
    "events_0.artifact_id = 7 AND events_0.type IN (INPUT, DECLARED_INPUT)",
    "properties.a.int_value > 1.5",
];

const CONTRACT_CONTEXTS: &[&str] = &[
    "artifacts_a.uri = 'x' AND artifacts_a.state != LIVE",
    "executions_e.last_known_state = FAILED AND executions_e.type = 'Train'",
    "parent_contexts_p.name = 'p' AND child_contexts_c.last_update_time_since_epoch > 5",
];

const GRAPH_ARTIFACTS: &[&str] = &[
    "name = 'a' OR properties.accuracy > 0.9",
    "properties.accuracy > 0.9",
    "properties.owner = 'me' AND properties.flag = TRUE",
    "properties.owner IS NULL",
    "NOT contexts_run.name = 'r1'",
    "contexts_run.name IS NULL AND events_0.type IS NULL",
    "upstream(type = 'Dataset' AND name = 'raw@2', hops <= 10) AND type = 'Model'",
    "downstream_execution(last_known_state = FAILED)",
];

const GRAPH_CONTEXTS: &[&str] = &["properties.a IN (1, 2.5)"];

const MISTAKES: &[(&str, &[&str])] = &[
    (
        "artifact",
        &[
            " ",
            "nme = 'x'",
            "name = x",
            "name = 1",
            "name =",
            "name = 'x' AND",
            "(name = 'x'",
            "name = 'x')",
            "id = 1 = 2",
            "id",
            "NULL",
            "name = NULL",
            "state = LIFE",
            "state = 2",
            "events_0.kind = 1",
            "executions_0.id = 1",
            "properties.accuracy > 0.9",
            "properties.accuracy.float_value > 0.9",
            "upstream(id = 1)",
            "GLOB(name, 'x')",
            "LOWER(name, 'x') = 'x'",
            "ABS(name) = 1",
            "name = 'x",
            "name = 'a\\qb'",
            "name = b'x'",
            "`name = 'x'",
            "properties.a-b.int_value = 1",
            "id = 1; DROP TABLE Type",
            "id = 12345678901234567890123",
            "id = 1x",
            "id IN ()",
            "id NOT 1",
            "id IS 1",
            "CAST(id AS TEXT) = '1'",
            "CASE id END = 1",
            "id = 1 /* and so on",
            "name = 'x' AND\n  uri = 's3://bucket' AND\n  sate = LIVE AND\n  id = 1",
        ],
    ),
    ("execution", &["state = LIVE", "last_known_state = DONE"]),
    ("context", &["state = LIVE", "artifacts_a.last_known_state = NEW"]),
];

const MISTAKES_IN_GRAPH: &[(&str, &[&str])] = &[
    ("artifact", &["upstream()", "upstream(id = 1, hops < 3)", "upstream(last_known_state = NEW)"]),
    ("context", &["upstream(id = 1)"]),
];

fn render(store: &Store, text: &mut String, noun: &str, language: Language, filter: &str) {
    match noun {
        "artifact" => show::<Artifact>(store, text, language, filter),
        "execution" => show::<Execution>(store, text, language, filter),
        _ => show::<Context>(store, text, language, filter),
    }
}

fn show<N: Node>(store: &Store, text: &mut String, language: Language, filter: &str) {
    let noun = N::KIND.noun;
    let _ = writeln!(text, "== {noun}, {language:?}: {filter}");
    let parsed = match Filter::parse(filter, noun, language) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = writeln!(text, "{error}\n");
            return;
        }
    };
    let backend = store.backend();
    let traced = vec![Vec::new(); parsed.traces.len()];
    for (what, statement) in candidates(&parsed, backend.dialect()) {
        show_statement(store, text, what, &statement);
    }
    let mut built = Builder::new("match", backend.dialect());
    built.sql("SELECT id FROM ").sql(N::KIND.queries.table).sql(" WHERE id > 0");
    parsed.write(&mut built, &traced).expect("a condition");
    built.sql(" ORDER BY id LIMIT 21");
    show_statement(store, text, "", &built.build());
    text.push('\n');
}

/// The statements that count and read candidates.
fn candidates<'f>(
    filter: &'f Filter,
    dialect: &'static Dialect,
) -> Vec<(&'static str, Statement<'f>)> {
    let count = filter.count_candidates("count", dialect).expect("a statement");
    let Some((count, n_ways)) = count else { return Vec::new() };
    let read = |way| ("read: ", filter.read_candidates("read", dialect, way).expect("a statement"));
    let mut all: Vec<_> = (0..n_ways).map(read).collect();
    all.insert(0, ("count: ", count));
    all
}

fn show_statement(store: &Store, text: &mut String, what: &str, statement: &Statement<'_>) {
    let _ = writeln!(text, "{what}{}", statement.text);
    for value in &statement.values {
        let _ = writeln!(text, "  ? {value:?}");
    }
    for step in plan(store.backend(), &statement.text) {
        let _ = writeln!(text, "     {step}");
    }
}

fn cases() -> impl Iterator<Item = (&'static str, Language, &'static str)> {
    let mistakes = MISTAKES.iter().map(|(noun, filters)| (*noun, Language::Contract, *filters));
    let in_graph =
        MISTAKES_IN_GRAPH.iter().map(|(noun, filters)| (*noun, Language::Graph, *filters));
    let all = CASES.iter().copied().chain(mistakes).chain(in_graph);
    all.flat_map(|(noun, language, filters)| {
        filters.iter().map(move |filter| (noun, language, *filter))
    })
}

#[test]
fn every_filter_becomes_what_was_reviewed() {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    let mut text = String::new();
    for (noun, language, filter) in cases() {
        render(&store, &mut text, noun, language, filter);
    }
    compare("filters.txt", &text);
}

/// What they become on servers.
#[test]
fn every_filter_becomes_what_was_reviewed_elsewhere() {
    let mut text = String::new();
    for (noun, language, filter) in cases() {
        let Ok(parsed) = Filter::parse(filter, noun, language) else { continue };
        let _ = writeln!(text, "== {noun}, {language:?}: {filter}");
        for dialect in SERVERS {
            let traced = vec![Vec::new(); parsed.traces.len()];
            let mut built = Builder::new("filter", dialect);
            parsed.write(&mut built, &traced).expect("a filter");
            let _ = writeln!(text, "-- {}{}", dialect.name, built.build().text);
            for (_, statement) in candidates(&parsed, dialect) {
                let _ = writeln!(text, "   {}", statement.text);
            }
        }
        text.push('\n');
    }
    compare("filters_on_servers.txt", &text);
}

/// A spelling of a text that no filter has would never be used.
#[test]
fn every_spelling_is_of_a_text_that_a_filter_has() {
    let sources =
        [include_str!("functions.rs"), include_str!("lower.rs"), include_str!("names.rs")];
    let lines: Vec<&str> = sources.iter().flat_map(|source| source.lines()).collect();
    let joined: String = lines
        .iter()
        .map(|line| match line.trim_start().strip_suffix('\\') {
            Some(continued) => continued.to_owned(),
            None => format!("{}\n", line.trim_start()),
        })
        .collect();
    for dialect in SERVERS {
        for (canonical, _) in dialect.spellings {
            assert!(joined.contains(canonical), "{}: {canonical}", dialect.name);
        }
    }
}

#[test]
fn candidates_are_found_by_an_index() {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    for (noun, language, filter) in cases() {
        let Ok(parsed) = Filter::parse(filter, noun, language) else { continue };
        let dialect = store.backend().dialect();
        for (_, statement) in candidates(&parsed, dialect) {
            for step in plan(store.backend(), &statement.text) {
                // Types are few, and have no index by kind; so are the beginnings of a prefix.
                let few = [
                    "k", "k0", "k1", "c", "CONSTANT", "rarray", "b", "begun", "few", "place",
                    "wanted",
                ];
                let mut words = step.split(' ');
                let scans = words.next() == Some("SCAN")
                    && words.next().is_some_and(|what| !few.contains(&what));
                assert!(!scans, "{filter}: {step}\n{}", statement.text);
            }
        }
    }
}

/// A printed filter reads as the tree that was printed, for everything above.
#[test]
fn a_printed_filter_reads_the_same() {
    let mut n = 0;
    for (_, _, filter) in cases() {
        let Ok(ast) = super::parse::parse(filter) else { continue };
        let printed = ast.to_string();
        let again =
            super::parse::parse(&printed).unwrap_or_else(|e| panic!("{filter}\n{printed}\n{e:?}"));
        assert_eq!(again.to_string(), printed, "{filter}");
        assert!(again.is_same(&ast), "{filter}\n{printed}");
        n += 1;
    }
    assert!(n > 40);
}

/// Filters put together at random from all forms of the language.
struct Maker(u64);

const BLANKS: &[&str] = &[" ", "\n\t", " /* x */ ", " -- x\n", " # '\n", "\u{a0}"];
const ATTRIBUTES: &[&str] = &["id", "Name", "`uri`", "type", "state", "TRUE", "null"];
const PROPERTIES: &[&str] = &["a b", "\\`", "\\\\", "ü", "'\"", "\\n"];
const TEXTS: &[&str] = &[
    r"'it\'s'",
    r#""\"""#,
    "'''a'b\nc'''",
    r"r'\d'",
    r"'\u00e9\000'",
    "''",
    "'\u{1f600}\\U0000000a'",
];
const COMPARISONS: &[&str] = &["=", "!=", "<>", "<", "<=", ">", ">="];
const OPERATORS: &[&str] = &["+", "-", "*", "/", "||", "|", "&", "^", "<<", ">>"];
const SIGNS: &[&str] = &["-", "- -", "~", "+", "NOT", "NOT NOT"];

impl Maker {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    fn one_of(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    fn leaf(&mut self) -> String {
        let n = self.below(1_000_000);
        match self.below(8) {
            0 | 1 => self.one_of(ATTRIBUTES).to_owned(),
            2 => format!("properties.`{}`.int_value", self.one_of(PROPERTIES)),
            3 => format!("{}_{n}.name", self.one_of(&["contexts", "custom_properties"])),
            4 => format!("{n}"),
            5 => format!("{}.{n}e{}", self.one_of(&["", "7"]), self.below(300)),
            6 => format!("0x{n:x}"),
            _ => self.one_of(TEXTS).to_owned(),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let [a, b, c] = [(); 3].map(|()| self.expression(depth - 1));
        let not = self.one_of(&["", "NOT "]);
        let blank = self.one_of(BLANKS);
        match self.below(12) {
            0 => format!("({a}){blank}AND({b}) and ({c})"),
            1 => format!("({a}) OR{blank}({b}) OR ({c})"),
            2 => format!("({a}) {}{blank}({b})", self.one_of(COMPARISONS)),
            3 => {
                let [x, y] = [(); 2].map(|()| self.one_of(OPERATORS));
                format!("({a}) {x}{blank}({b}) {y} ({c})")
            }
            4 => format!("({a}) {not}IN{blank}({b}, {c})"),
            5 => format!("({a}) {not}LIKE{blank}({b})"),
            6 => format!("({a}) {not}BETWEEN{blank}({b}) AND ({c})"),
            7 => format!("({a}) IS {not}{}", self.one_of(&["NULL", "TRUE", "FALSE", "UNKNOWN"])),
            8 => format!("{} ({a})", self.one_of(SIGNS)),
            9 => format!("CASE ({a}) WHEN {b} THEN{blank}{c} END"),
            10 => format!("CASE WHEN {a} THEN {b} ELSE{blank}{c} END"),
            _ => {
                let name = self.one_of(&["f", "`g h`", "upstream"]);
                format!("{name}({a},{blank}{b}, CAST({c} AS string))")
            }
        }
    }
}

#[test]
fn any_printed_filter_reads_the_same() {
    let mut n_read = 0;
    for seed in 1..4_000_u64 {
        let depth = usize::try_from(seed % 4).unwrap_or_default();
        let text = Maker(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).expression(depth);
        // Some of what is put together is no filter: `NOT` below a sign, for one.
        let Ok(ast) = super::parse::parse(&text) else { continue };
        let printed = ast.to_string();
        let again = super::parse::parse(&printed);
        let again = again.unwrap_or_else(|e| panic!("{text}\n{printed}\n{e:?}"));
        assert!(again.is_same(&ast), "{text}\n{printed}\n{again}");
        n_read += 1;
    }
    assert!(n_read > 3_000, "{n_read}");
}
