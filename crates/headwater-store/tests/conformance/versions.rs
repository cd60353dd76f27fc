//! Versions: the same digest is the same version, another one the next.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use headwater_proto::headwater::v1::{RegisterVersionRequest, RegisterVersionResponse};
use headwater_proto::ml_metadata::{
    Artifact, GetArtifactsByContextRequest, GetContextsByIdRequest,
};
use headwater_store::ErrorKind::{InvalidArgument, NotFound};

use super::{Fresh, behaviours, int, named_artifact, properties, text};

behaviours! {
    the_same_digest_is_the_same_version_and_another_one_the_next
    without_a_name_the_digest_finds_the_version
    a_version_gets_what_it_does_not_have
    a_name_that_is_taken_is_passed_over
    a_hundred_versions_at_once_are_numbered_without_gaps
    to_register_costs_the_same_however_many_versions_there_are
    what_cannot_be_a_version_is_refused
}

/// What makes versions in a fresh store.
struct Series {
    type_id: i64,
    context_type_id: i64,
}

impl Series {
    fn of(fresh: &Fresh) -> Self {
        let type_id = fresh.artifact_type("Dataset");
        Self { type_id, context_type_id: fresh.context_type("Datasets") }
    }

    fn request(&self, name: &str, digest: &str) -> RegisterVersionRequest {
        let custom_properties = properties([("rows", int(3))]);
        let uri = Some(format!("file:///{digest}"));
        let type_id = Some(self.type_id);
        let artifact = Artifact { type_id, uri, custom_properties, ..Artifact::default() };
        RegisterVersionRequest {
            artifact: Some(artifact),
            context_type_id: self.context_type_id,
            name: name.to_owned(),
            default_name: String::new(),
            digest: digest.to_owned(),
        }
    }
}

fn shown(of: &RegisterVersionResponse) -> (String, bool) {
    (format!("{}@{}", of.name, of.number), of.is_new)
}

fn the_same_digest_is_the_same_version_and_another_one_the_next(fresh: &Fresh) {
    let series = Series::of(fresh);
    let register = |name, digest| fresh.call(series.request(name, digest));
    let first = register("raw", "sha256:aa");
    let second = register("raw", "sha256:bb");
    let again = register("raw", "sha256:aa");
    let other = register("features", "sha256:aa");
    let expected = [("raw@1", true), ("raw@2", true), ("raw@1", false), ("features@1", true)];
    for (found, (name, is_new)) in [&first, &second, &again, &other].into_iter().zip(expected) {
        assert_eq!(shown(found), (name.to_owned(), is_new));
    }
    assert_eq!(again.artifact_id, first.artifact_id);
    assert_eq!((second.context_id, again.context_id), (first.context_id, first.context_id));
    assert_ne!(other.context_id, first.context_id);
    let artifact = fresh.artifact(second.artifact_id);
    assert_eq!((artifact.name(), artifact.uri()), ("raw@2", "file:///sha256:bb"));
    assert_eq!(artifact.external_id(), "Dataset/raw/sha256:bb");
    let expected = properties([
        ("digest", text("sha256:bb")),
        ("rows", int(3)),
        ("version.name", text("raw")),
        ("version.number", int(2)),
    ]);
    assert_eq!(artifact.custom_properties, expected);
    let ids = vec![first.context_id];
    let context = GetContextsByIdRequest { context_ids: ids, ..Default::default() };
    let context = fresh.call(context).contexts.remove(0);
    assert_eq!((context.name(), &context.custom_properties["versions"]), ("raw", &int(2)));
    let members =
        GetArtifactsByContextRequest { context_id: Some(first.context_id), ..Default::default() };
    let mut ids: Vec<i64> =
        fresh.call(members).artifacts.iter().filter_map(|artifact| artifact.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [first.artifact_id, second.artifact_id]);
}

fn without_a_name_the_digest_finds_the_version(fresh: &Fresh) {
    let series = Series::of(fresh);
    let unnamed = |default_name: &str, digest| RegisterVersionRequest {
        default_name: default_name.to_owned(),
        ..series.request("", digest)
    };
    let first = fresh.call(unnamed("data", "sha256:aa"));
    assert_eq!(shown(&first), ("data@1".to_owned(), true));
    let moved = fresh.call(unnamed("elsewhere", "sha256:aa"));
    assert_eq!((shown(&moved).0.as_str(), moved.is_new), ("data@1", false));
    let changed = fresh.call(unnamed("elsewhere", "sha256:bb"));
    assert_eq!(shown(&changed), ("elsewhere@1".to_owned(), true));
    // Something of another type is something else.
    let mut model = unnamed("model", "sha256:aa");
    let type_id = Some(fresh.artifact_type("Model"));
    model.artifact = Some(Artifact { type_id, ..Artifact::default() });
    assert_eq!(shown(&fresh.call(model)), ("model@1".to_owned(), true));
}

fn a_version_gets_what_it_does_not_have(fresh: &Fresh) {
    let series = Series::of(fresh);
    let first = fresh.call(series.request("raw", "sha256:aa"));
    let mut more = series.request("raw", "sha256:aa");
    let artifact = more.artifact.as_mut().unwrap();
    artifact.uri = Some("file:///moved".into());
    artifact.custom_properties =
        properties([("rows", int(4)), ("profile", text("p")), ("version.number", int(9))]);
    let again = fresh.call(more);
    assert_eq!(shown(&again), ("raw@1".to_owned(), false));
    let found = fresh.artifact(first.artifact_id);
    assert_eq!(found.uri(), "file:///sha256:aa");
    assert_eq!(found.custom_properties["rows"], int(3));
    assert_eq!(found.custom_properties["profile"], text("p"));
    assert_eq!(found.custom_properties["version.number"], int(1));
    let mut nowhere = series.request("memory", "frame:aa");
    nowhere.artifact.as_mut().unwrap().uri = None;
    let first = fresh.call(nowhere);
    fresh.call(series.request("memory", "frame:aa"));
    assert_eq!(fresh.artifact(first.artifact_id).uri(), "file:///frame:aa");
}

fn a_name_that_is_taken_is_passed_over(fresh: &Fresh) {
    let series = Series::of(fresh);
    fresh.artifacts([named_artifact(series.type_id, "raw@1")]);
    fresh.artifacts([named_artifact(series.type_id, "raw@2")]);
    let first = fresh.call(series.request("raw", "sha256:aa"));
    assert_eq!(shown(&first), ("raw@3".to_owned(), true));
    assert_eq!(shown(&fresh.call(series.request("raw", "sha256:bb"))).0, "raw@4");
}

fn a_hundred_versions_at_once_are_numbered_without_gaps(fresh: &Fresh) {
    let series = Arc::new(Series::of(fresh));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (store, series) = (Arc::clone(&fresh.store), Arc::clone(&series));
            thread::spawn(move || {
                let digests = (0..50).map(|at| format!("sha256:{}", (at * 7 + thread) % 50));
                let register = |digest: String| {
                    let found = store.call(&series.request("raw", &digest)).unwrap();
                    (digest, found.number, found.artifact_id)
                };
                digests.map(register).collect::<Vec<_>>()
            })
        })
        .collect();
    let found: BTreeSet<(String, i64, i64)> =
        threads.into_iter().flat_map(|of| of.join().unwrap()).collect();
    assert_eq!(found.len(), 50, "each digest has one number and one artifact");
    let numbers: BTreeSet<i64> = found.iter().map(|(_, number, _)| *number).collect();
    assert_eq!(numbers, (1..=50).collect());
}

fn to_register_costs_the_same_however_many_versions_there_are(fresh: &Fresh) {
    let series = Series::of(fresh);
    let register = |at: i32| {
        fresh.call(series.request("raw", &format!("sha256:{at}")));
        fresh.last_statements()
    };
    register(1);
    let costs = register(2);
    (3..40).for_each(|at| drop(register(at)));
    assert_eq!(register(40), costs);
    assert!(costs.len() <= 13, "{costs:?}");
    assert!(register(7).len() <= 8, "one that is there: {:?}", fresh.last_statements());
}

fn what_cannot_be_a_version_is_refused(fresh: &Fresh) {
    let series = Series::of(fresh);
    let good = || series.request("raw", "sha256:aa");
    let unnamed = |default_name: &str| RegisterVersionRequest {
        default_name: default_name.to_owned(),
        ..series.request("", "sha256:aa")
    };
    let no_type = Artifact { type_id: Some(12_345), ..Artifact::default() };
    let bad = [
        RegisterVersionRequest { artifact: None, ..good() },
        series.request("a@1", "sha256:aa"),
        series.request(&"x".repeat(121), "sha256:aa"),
        series.request("raw", ""),
        series.request("raw", &"x".repeat(101)),
        unnamed(""),
        unnamed("a@b"),
    ];
    for request in bad {
        fresh.refused(InvalidArgument, request);
    }
    let unknown = [
        RegisterVersionRequest { artifact: Some(Artifact::default()), ..good() },
        RegisterVersionRequest { artifact: Some(no_type), ..good() },
        RegisterVersionRequest { context_type_id: 12_345, ..good() },
    ];
    for request in unknown {
        fresh.refused(NotFound, request);
    }
    let all = fresh.call(headwater_proto::ml_metadata::GetArtifactsRequest::default());
    assert!(all.artifacts.is_empty());
}
