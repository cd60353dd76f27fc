//! Names, URIs and external ids compare byte for byte.

use std::collections::BTreeMap;

use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, GetArtifactByTypeAndNameRequest, GetArtifactsByExternalIdsRequest,
    GetArtifactsByUriRequest, PropertyType, PutArtifactTypeRequest,
};

use super::{Fresh, artifact, behaviours, int, named_artifact};

behaviours! {
    names_that_look_alike_are_different_nodes
    uris_and_external_ids_that_look_alike_are_different
    type_and_property_names_that_look_alike_are_different
}

/// Pairs of these are equal to one collation or another, and to no byte comparison.
const ALIKE: [&str; 14] = [
    "name",
    "Name",
    "NAME",
    "name ",
    " name",
    "name\t",
    "n\u{e9}",
    "ne\u{301}",
    "ne",
    "name\0",
    "name\0x",
    "\u{df}",
    "ss",
    "'\"`;\\%_",
];

fn names_that_look_alike_are_different_nodes(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let ids = fresh.artifacts(ALIKE.map(|name| named_artifact(type_id, name)));
    for (name, id) in ALIKE.into_iter().zip(ids) {
        let request = GetArtifactByTypeAndNameRequest {
            type_name: Some("A".into()),
            artifact_name: Some(name.to_owned()),
            ..Default::default()
        };
        let found = fresh.call(request).artifact.unwrap();
        assert_eq!((found.id(), found.name()), (id, name));
    }
}

fn uris_and_external_ids_that_look_alike_are_different(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let ids = fresh.artifacts(ALIKE.map(|text| Artifact {
        uri: Some(text.to_owned()),
        external_id: Some(text.to_owned()),
        ..artifact(type_id)
    }));
    for (text, id) in ALIKE.into_iter().zip(ids) {
        let text = vec![text.to_owned()];
        let request = GetArtifactsByUriRequest { uris: text.clone(), ..Default::default() };
        let by_uri = fresh.call(request).artifacts;
        let request = GetArtifactsByExternalIdsRequest { external_ids: text, ..Default::default() };
        let by_external_id = fresh.call(request).artifacts;
        for found in [by_uri, by_external_id] {
            assert_eq!(found.iter().map(Artifact::id).collect::<Vec<_>>(), [id]);
        }
    }
}

fn type_and_property_names_that_look_alike_are_different(fresh: &Fresh) {
    let names: BTreeMap<String, i32> =
        ALIKE.map(|name| (name.to_owned(), PropertyType::Int as i32)).into();
    for name in ALIKE {
        let artifact_type = ArtifactType {
            name: Some(name.to_owned()),
            properties: names.clone(),
            ..ArtifactType::default()
        };
        let artifact_type = Some(artifact_type);
        let request = PutArtifactTypeRequest { artifact_type, ..Default::default() };
        let type_id = fresh.call(request).type_id();
        let properties: BTreeMap<_, _> =
            ALIKE.into_iter().zip(0..).map(|(name, n)| (name.to_owned(), int(n))).collect();
        let node = Artifact { properties: properties.clone(), ..artifact(type_id) };
        let id = fresh.artifacts([node])[0];
        let stored = fresh.artifact(id);
        assert_eq!((stored.r#type(), &stored.properties), (name, &properties));
    }
}
