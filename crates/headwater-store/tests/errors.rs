//! The words of errors: what a caller reads when something is refused.
//!
//! `UPDATE=1 cargo test` rewrites `tests/golden/errors.txt`. Words that should be better stand in
//! it, too, until someone improves them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use headwater_store::{Method, Store, StoreUrl};

/// A title, a method, and a request in JSON. The store has an artifact type `Model` with a DOUBLE
/// `accuracy`, an execution type `Train`, a context type `Run`, and one node of each, all named.
const CASES: &[(&str, &str, &str)] = &[
    ("no such type", "GetArtifactType", r#"{"typeName": "Modle"}"#),
    (
        "no such version of a type",
        "GetArtifactType",
        r#"{"typeName": "Model", "typeVersion": "2"}"#,
    ),
    ("a type without a name", "PutArtifactType", r#"{"artifactType": {}}"#),
    (
        "a property type that is unknown",
        "PutArtifactType",
        r#"{"artifactType": {"name": "X", "properties": {"p": "UNKNOWN"}}}"#,
    ),
    ("a type that drops a property", "PutArtifactType", r#"{"artifactType": {"name": "Model"}}"#),
    (
        "a type that adds a property",
        "PutArtifactType",
        r#"{"artifactType": {"name": "Model",
            "properties": {"accuracy": "DOUBLE", "f1": "DOUBLE"}}}"#,
    ),
    (
        "a type that changes a property",
        "PutArtifactType",
        r#"{"artifactType": {"name": "Model", "properties": {"accuracy": "INT"}}}"#,
    ),
    (
        "a base type that is removed",
        "PutArtifactType",
        r#"{"artifactType": {"name": "Model",
            "properties": {"accuracy": "DOUBLE"}, "baseType": "UNSET"}}"#,
    ),
    ("a node without a type", "PutArtifacts", r#"{"artifacts": [{"name": "m"}]}"#),
    ("a node of an unknown type", "PutArtifacts", r#"{"artifacts": [{"typeId": 99}]}"#),
    (
        "a misspelt property",
        "PutArtifacts",
        r#"{"artifacts": [{"typeId": 10, "properties": {"acuracy": {"doubleValue": 1}}}]}"#,
    ),
    (
        "a property of the wrong type",
        "PutArtifacts",
        r#"{"artifacts": [{"typeId": 10, "properties": {"accuracy": {"intValue": 1}}}]}"#,
    ),
    (
        "a custom property without a value",
        "PutArtifacts",
        r#"{"artifacts": [{"typeId": 10, "customProperties": {"note": {}}}]}"#,
    ),
    ("a name that is taken", "PutArtifacts", r#"{"artifacts": [{"typeId": 10, "name": "churn"}]}"#),
    (
        "an external id that is taken",
        "PutArtifacts",
        r#"{"artifacts": [{"typeId": 10, "externalId": "e1"}]}"#,
    ),
    ("an update of nothing", "PutArtifacts", r#"{"artifacts": [{"id": 99}]}"#),
    ("an update with another type", "PutArtifacts", r#"{"artifacts": [{"id": 1, "typeId": 11}]}"#),
    (
        "an update of what was changed meanwhile",
        "PutArtifacts",
        r#"{"artifacts": [{"id": 1, "lastUpdateTimeSinceEpoch": 5}],
            "options": {"abortIfLatestUpdatedTimeChanged": true}}"#,
    ),
    ("a context without a name", "PutContexts", r#"{"contexts": [{"typeId": 12}]}"#),
    (
        "an event without a type",
        "PutEvents",
        r#"{"events": [{"artifactId": 1, "executionId": 1}]}"#,
    ),
    (
        "an event on something unknown",
        "PutEvents",
        r#"{"events": [{"artifactId": 99, "executionId": 1, "type": "INPUT"}]}"#,
    ),
    (
        "an event that is there already",
        "PutEvents",
        r#"{"events": [{"artifactId": 1, "executionId": 1, "type": "OUTPUT"}]}"#,
    ),
    ("a step without an execution", "PutExecution", "{}"),
    (
        "a pair that names no artifact",
        "PutExecution",
        r#"{"execution": {"typeId": 11}, "artifactEventPairs": [{"event": {"type": "INPUT"}}]}"#,
    ),
    (
        "a pair that contradicts itself",
        "PutExecution",
        r#"{"execution": {"typeId": 11}, "artifactEventPairs":
            [{"artifact": {"id": 1}, "event": {"type": "INPUT", "artifactId": 2}}]}"#,
    ),
    (
        "an empty pair in a context",
        "PutExecution",
        r#"{"execution": {"typeId": 11}, "artifactEventPairs": [{}],
            "contexts": [{"typeId": 12, "name": "x"}]}"#,
    ),
    (
        "an edge outside the nodes",
        "PutLineageSubgraph",
        r#"{"eventEdges": [{"executionIndex": 3, "artifactIndex": 0,
            "event": {"type": "INPUT"}}]}"#,
    ),
    (
        "an edge without an artifact",
        "PutLineageSubgraph",
        r#"{"executions": [{"typeId": 11}],
            "eventEdges": [{"executionIndex": 0, "event": {"type": "INPUT"}}]}"#,
    ),
    (
        "a parent that is the child",
        "PutParentContexts",
        r#"{"parentContexts": [{"childId": 1, "parentId": 1}]}"#,
    ),
    ("contexts of a node in none", "GetContextsByArtifact", r#"{"artifactId": 1}"#),
    ("an empty external id", "GetArtifactsByExternalIds", r#"{"externalIds": [""]}"#),
    ("unknown external ids", "GetArtifactsByExternalIds", r#"{"externalIds": ["nope"]}"#),
    ("a page of nothing", "GetArtifacts", r#"{"options": {"maxResultSize": 0}}"#),
    ("a token from elsewhere", "GetArtifacts", r#"{"options": {"nextPageToken": "abc"}}"#),
    (
        "an order by nothing",
        "GetArtifacts",
        r#"{"options": {"orderByField": {"field": "FIELD_UNSPECIFIED"}}}"#,
    ),
    ("a filter that is wrong", "GetArtifacts", r#"{"options": {"filterQuery": "nme = 'x'"}}"#),
    ("a lineage from nowhere", "GetLineageSubgraph", "{}"),
    (
        "a lineage from nodes that are not there",
        "GetLineageSubgraph",
        r#"{"lineageSubgraphQueryOptions": {"startingArtifacts": {"filterQuery": "id = 99"}}}"#,
    ),
    (
        "a lineage of fewer than no hops",
        "GetLineageSubgraph",
        r#"{"lineageSubgraphQueryOptions":
            {"startingArtifacts": {"filterQuery": "id = 1"}, "maxNumHops": -1}}"#,
    ),
    ("JSON that is none", "GetArtifacts", "{"),
    ("JSON with an unknown field", "GetArtifacts", r#"{"option": {}}"#),
    ("JSON with a wrong type", "GetArtifactsByID", r#"{"artifactIds": ["x"]}"#),
];

const SETUP: &[(&str, &str)] = &[
    (
        "PutArtifactType",
        r#"{"artifactType": {"name": "Model", "properties": {"accuracy": "DOUBLE"},
            "baseType": "MODEL"}}"#,
    ),
    ("PutExecutionType", r#"{"executionType": {"name": "Train"}}"#),
    ("PutContextType", r#"{"contextType": {"name": "Run"}}"#),
    ("PutArtifacts", r#"{"artifacts": [{"typeId": 10, "name": "churn", "externalId": "e1"}]}"#),
    ("PutExecutions", r#"{"executions": [{"typeId": 11, "name": "train"}]}"#),
    ("PutContexts", r#"{"contexts": [{"typeId": 12, "name": "run-1"}]}"#),
    ("PutEvents", r#"{"events": [{"artifactId": 1, "executionId": 1, "type": "OUTPUT"}]}"#),
];

fn call(store: &Store, method: &str, json: &str) -> Result<Vec<u8>, headwater_store::Error> {
    let method = Method::from_name(method).unwrap();
    let request = method.request_from_json(json)?;
    store.call_bytes(method, &request)
}

/// Milliseconds since the epoch, with the comma after them.
fn is_time(word: &str) -> bool {
    word.len() == 14 && word.trim_end_matches(',').bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn errors_have_the_words_that_were_reviewed() {
    let store = Store::open(&StoreUrl::memory()).unwrap();
    for (method, json) in SETUP {
        call(&store, method, json).unwrap();
    }
    let mut text = String::new();
    for (title, method, json) in CASES {
        let error = call(&store, method, json).expect_err(title);
        // The time at which the fixture was made is different in each run.
        let words = error.to_string();
        let words: Vec<&str> =
            words.split(' ').map(|word| if is_time(word) { "TIME," } else { word }).collect();
        let words = words.join(" ");
        let _ = writeln!(text, "== {title}\n{}: {words}\n", error.kind().row().code);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "run UPDATE=1 cargo test and review the difference");
}
