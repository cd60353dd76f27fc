//! A small graph with something of everything.

use headwater_store::{Method, Store};

const CALLS: &[(Method, &str)] = &[
    (
        Method::PutArtifactType,
        r#"{"artifactType": {"name": "A",
            "properties": {"i": "INT", "d": "DOUBLE", "s": "STRING", "b": "BOOLEAN"}}}"#,
    ),
    (Method::PutExecutionType, r#"{"executionType": {"name": "E", "properties": {"i": "INT"}}}"#),
    (Method::PutContextType, r#"{"contextType": {"name": "C", "properties": {"s": "STRING"}}}"#),
    (
        Method::PutArtifacts,
        r#"{"artifacts": [
            {"typeId": 10, "name": "a", "uri": "u", "state": "LIVE",
             "properties": {"i": {"intValue": 1}, "d": {"doubleValue": 0.5},
                            "s": {"stringValue": "x"}, "b": {"boolValue": true}},
             "customProperties": {"i": {"doubleValue": "NaN"}}},
            {"typeId": 10, "name": "b", "properties": {"i": {"intValue": -9223372036854775808}}},
            {"typeId": 10}]}"#,
    ),
    (
        Method::PutExecution,
        r#"{"execution": {"typeId": 11, "name": "e", "lastKnownState": "COMPLETE",
                          "properties": {"i": {"intValue": 2}}},
            "artifactEventPairs": [{"event": {"artifactId": 1, "type": "INPUT"}},
                                   {"event": {"artifactId": 2, "type": "OUTPUT"}}],
            "contexts": [{"typeId": 12, "name": "c", "properties": {"s": {"stringValue": "y"}}}]}"#,
    ),
    (Method::PutContexts, r#"{"contexts": [{"typeId": 12, "name": "parent"}]}"#),
    (Method::PutParentContexts, r#"{"parentContexts": [{"childId": 1, "parentId": 2}]}"#),
];

/// Puts it into an empty store.
pub fn fill(store: &Store) {
    for (method, json) in CALLS {
        let request = method.request_from_json(json).expect("a request");
        store.call_bytes(*method, &request).expect("an answer");
    }
}
