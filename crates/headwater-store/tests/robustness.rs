//! Bytes from anywhere: no request may panic, and none may be the store's fault.
//!
//! Seeded, so that a failure can be repeated; `ROBUSTNESS_ROUNDS` makes it longer.

use headwater_store::{ErrorKind, Method, Store, StoreUrl};

/// Requests in JSON from which broken ones are made.
const SEEDS: &[(&str, &str)] = &[
    (
        "PutTypes",
        r#"{"artifactTypes": [{"name": "A", "version": "1", "externalId": "x",
            "properties": {"i": "INT", "s": "STRUCT"}, "baseType": "MODEL"}],
            "executionTypes": [{"name": "E", "inputType": {"dict": {"properties":
            {"a": {"list": {"element": {"any": {}}}}}}}}], "canAddFields": true}"#,
    ),
    (
        "PutArtifacts",
        r#"{"artifacts": [{"typeId": 10, "name": "n", "uri": "u", "state": "LIVE", "properties":
            {"i": {"intValue": 1}}, "customProperties": {"d": {"doubleValue": "NaN"},
            "p": {"structValue": {"k": [1, null]}}}}, {"id": 1, "externalId": "e"}],
            "updateMask": "uri,customProperties"}"#,
    ),
    (
        "PutExecution",
        r#"{"execution": {"typeId": 11, "lastKnownState": "RUNNING"}, "artifactEventPairs":
            [{"artifact": {"typeId": 10}, "event": {"type": "OUTPUT", "path": {"steps":
            [{"key": "k"}, {"index": 1}]}}}, {"event": {"artifactId": 1, "type": "INPUT"}}],
            "contexts": [{"typeId": 12, "name": "c"}],
            "options": {"reuseContextIfAlreadyExist": true}}"#,
    ),
    (
        "PutLineageSubgraph",
        r#"{"executions": [{"typeId": 11}], "artifacts": [{"typeId": 10}], "contexts":
            [{"typeId": 12, "name": "d"}], "eventEdges": [{"executionIndex": 0,
            "artifactIndex": 0, "event": {"type": "INPUT"}}]}"#,
    ),
    ("PutParentContexts", r#"{"parentContexts": [{"childId": 1, "parentId": 2}]}"#),
    (
        "GetArtifacts",
        r#"{"options": {"maxResultSize": 3, "orderByField": {"field": "CREATE_TIME",
            "isAsc": false}, "nextPageToken": "CAEQASIAKAE"}}"#,
    ),
    ("GetArtifactsByURI", r#"{"uris": ["u", "v"]}"#),
    ("GetParentContextsByContexts", r#"{"contextIds": [1, 2, 3]}"#),
];

/// A generator of numbers that is the same everywhere (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    /// Changes, drops, doubles or adds some bytes.
    fn broken(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let byte = u8::try_from(self.below(256)).unwrap();
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => bytes.extend_from_within(at..),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    }
}

fn check(store: &Store, method: Method, request: &[u8]) {
    if let Err(error) = store.call_bytes(method, request) {
        let ours = [ErrorKind::DataLoss, ErrorKind::Unavailable, ErrorKind::ResourceExhausted];
        assert!(!ours.contains(&error.kind()), "{error:?} for {method:?} {request:?}");
        // Taking a name or an external id by an update is INTERNAL in MLMD, and so in ours.
        let copied = error.message().contains("already") || error.message().contains("belongs");
        let internal = error.kind() == ErrorKind::Internal && !copied;
        assert!(!internal, "{error:?} for {method:?} {request:?}");
    }
}

#[test]
fn no_request_panics_or_is_the_fault_of_the_store() {
    let rounds = std::env::var("ROBUSTNESS_ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    let store = Store::open(&StoreUrl::memory()).unwrap();
    let seeds: Vec<(Method, Vec<u8>)> = SEEDS
        .iter()
        .map(|(name, json)| {
            let method = Method::from_name(name).unwrap();
            let request = method.request_from_json(json).unwrap();
            check(&store, method, &request);
            (method, request)
        })
        .collect();
    let mut random = Random(7);
    for _ in 0..rounds {
        for (method, request) in &seeds {
            check(&store, *method, &random.broken(request));
        }
        // A request of one method sent to another, and bytes that are no request at all.
        let other = Method::ALL[random.below(Method::ALL.len())];
        let (_, request) = &seeds[random.below(seeds.len())];
        check(&store, other, request);
        let noise: Vec<u8> =
            (0..random.below(40)).map(|_| random.next().to_le_bytes()[0]).collect();
        check(&store, other, &noise);
    }
    store.ping().unwrap();
}

#[test]
fn messages_nested_without_end_are_refused() {
    let store = Store::open(&StoreUrl::memory()).unwrap();
    // `custom_properties["x"].struct_value` with a struct in a struct in a struct…
    let mut value = vec![0x08, 0x00];
    for _ in 0..5_000 {
        let mut entry = vec![0x0a, 0x01, b'k', 0x12];
        push_length(&mut entry, value.len());
        entry.extend(&value);
        let mut fields = vec![0x0a];
        push_length(&mut fields, entry.len());
        fields.extend(&entry);
        value = vec![0x2a];
        push_length(&mut value, fields.len());
        value.extend(&fields);
    }
    let mut request = vec![0x0a];
    push_length(&mut request, value.len());
    request.extend(&value);
    check(&store, Method::PutArtifacts, &request);
    store.ping().unwrap();
}

fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
}
