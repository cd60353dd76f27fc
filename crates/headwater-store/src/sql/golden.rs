//! Every statement that the store can run, as text that is reviewed: its canonical form, what each
//! database makes of it where that differs, and how the database goes about it.
//!
//! `UPDATE=1 cargo test` rewrites the file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use headwater_proto::ml_metadata::{Artifact, Context, Execution};

use crate::backend::{Access, Backend, Caller, Column, SERVERS, Statement, Value};
use crate::kinds::Node;
use crate::ops::page::Page;
use crate::ops::selection::{Scope, Selection};
use crate::sql::Dialect;
use crate::sql::build::{Insert, Query};
use crate::sql::queries::{INSERTS, QUERIES};
use crate::store::Store;
use crate::url::StoreUrl;

/// A statement in its canonical form and as a database gets it.
struct Case {
    name: String,
    canonical: String,
    rendered: String,
}

fn cases(dialect: &'static Dialect) -> Vec<Case> {
    let query = |query: &Query| Case {
        name: query.name.to_owned(),
        canonical: query.text.to_owned(),
        rendered: query.render(dialect).into_owned(),
    };
    let insert = |insert: &Insert| Case {
        name: insert.name.to_owned(),
        canonical: insert.render(dialect),
        rendered: insert.render(dialect),
    };
    let mut cases: Vec<Case> = QUERIES.iter().map(query).collect();
    cases.extend(INSERTS.iter().map(|of| insert(of)));
    for queries in [Artifact::KIND, Execution::KIND, Context::KIND].map(|kind| kind.queries) {
        let fixed = [
            queries.select_by_ids,
            queries.select_to_change,
            queries.select_any,
            queries.count_valueless,
            queries.retype,
            queries.select_by_external_ids,
            queries.select_by_type_and_name,
            queries.select_existing_ids,
            queries.select_properties,
            queries.select_types,
            queries.update,
            queries.delete_properties,
        ];
        cases.extend(fixed.iter().map(query));
        cases.extend(queries.select_linked.iter().map(|(_, linked)| query(linked)));
        cases.extend([&queries.insert, &queries.insert_properties].map(insert));
    }
    cases.extend(lists::<Artifact>(dialect));
    cases.extend(lists::<Execution>(dialect));
    cases.extend(lists::<Context>(dialect));
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// Lists are put together from parts: every order and scope, first and later pages.
fn lists<N: Node>(dialect: &'static Dialect) -> Vec<Case> {
    let mut cases = Vec::new();
    for (scope, of) in [
        (Scope::All, "all"),
        (Scope::OfType(1), "of a type"),
        (Scope::InContext(1), "in a context"),
    ] {
        for mut page in Page::every_order() {
            for place in ["first page", "later page"] {
                let selection = Selection::from(scope);
                let statement = page.statement::<N>(&selection, 20, dialect).expect("a statement");
                let direction = if page.is_ascending() { "ascending" } else { "descending" };
                let text = statement.text.into_owned();
                cases.push(Case {
                    name: format!("{}, {of}, {direction}, {place}", statement.name),
                    canonical: text.clone(),
                    rendered: text,
                });
                page.advance(&N::default());
            }
        }
    }
    cases
}

/// How the database goes about a statement.
pub(crate) fn plan(backend: &dyn Backend, sql: &str) -> Vec<String> {
    let explain = Statement {
        name: "explain",
        text: format!("EXPLAIN QUERY PLAN {sql}").into(),
        values: vec![Value::Null; sql.matches('?').count()],
        is_fixed: false,
    };
    let mut steps = Vec::new();
    let mut tx = backend.begin(Access::Read, &Caller::default()).expect("a transaction");
    tx.queries(&[explain], &mut |_, row| {
        if let Column::Text(step) = row.column(3)? {
            steps.push(step.to_owned());
        }
        Ok(())
    })
    .expect("a plan");
    steps
}

#[test]
fn every_statement_is_as_it_was_reviewed() {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    let backend = store.backend();
    let servers = SERVERS.map(|dialect| (dialect.name, cases(dialect)));
    let mut text = String::new();
    for (at, case) in cases(backend.dialect()).into_iter().enumerate() {
        let _ = writeln!(text, "== {}\n{}", case.name, case.canonical);
        if case.rendered != case.canonical {
            let _ = writeln!(text, "-- {}\n{}", backend.dialect().name, case.rendered);
        }
        for (name, cases) in &servers {
            if cases[at].rendered != case.canonical {
                let _ = writeln!(text, "-- {name}\n{}", cases[at].rendered);
            }
        }
        // The table of a migration is there only while it goes on.
        let is_planned = !case.name.starts_with("migration_");
        for step in is_planned.then(|| plan(backend, &case.rendered)).into_iter().flatten() {
            let _ = writeln!(text, "   {step}");
        }
        text.push('\n');
    }
    compare("sql.txt", &text);
}

/// Compares a text with a golden file, line by line, or rewrites the file.
pub(crate) fn compare(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).expect("the golden file is written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    for (now, before) in text.lines().zip(golden.lines()) {
        assert_eq!(now, before, "run UPDATE=1 cargo test and review the difference");
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "run UPDATE=1 cargo test");
}

#[test]
fn no_hot_statement_scans_a_table() {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    for case in cases(store.backend().dialect()) {
        // A walk over everything in the order of an index is what a list of everything is.
        if case.name.contains("_list_by_") && case.name.contains(", all,") {
            continue;
        }
        // Types are few, and all of them are asked for; the version table has one row.
        let all = ["type_select_by_kind", "type_select_keys", "env_select_version"];
        // A migration takes as long as it takes.
        let is_once = ["migration_", "env_"].iter().any(|of| case.name.starts_with(of))
            || case.name.ends_with("_count_new_kinds")
            || case.name.ends_with("_select_any");
        if is_once || all.contains(&case.name.as_str()) {
            continue;
        }
        for step in plan(store.backend(), &case.rendered) {
            let scans = step.starts_with("SCAN ")
                && !step.contains("VIRTUAL TABLE")
                && !["SCAN up", "SCAN p"].contains(&step.as_str());
            assert!(!scans, "{}: {step}\n{}", case.name, case.rendered);
        }
    }
}

#[test]
fn names_are_given_once() {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    let cases = cases(store.backend().dialect());
    for pair in cases.windows(2) {
        assert_ne!(pair[0].name, pair[1].name);
    }
}
