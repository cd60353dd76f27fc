//! Types: made once, grown on request, found by name, version, id and external id.

use headwater_proto::ml_metadata::{
    ArtifactStructType, ArtifactType, ExecutionType, GetArtifactTypeRequest,
    GetArtifactTypesByExternalIdsRequest, GetArtifactTypesByIdRequest, GetArtifactTypesRequest,
    GetExecutionTypeRequest, ListArtifactStructType, PropertyType, PutArtifactTypeRequest,
    PutExecutionTypeRequest, PutTypesRequest, artifact_struct_type,
};
use headwater_store::ErrorKind::{
    AlreadyExists, Internal, InvalidArgument, NotFound, Unimplemented,
};

use super::{Fresh, behaviours};

behaviours! {
    the_first_user_type_follows_the_nine_system_types
    putting_the_same_type_again_gives_the_same_id
    a_type_with_other_properties_is_refused_by_name
    a_type_grows_and_shrinks_when_asked
    a_type_may_grow_more_than_once_in_a_request
    versions_are_types_of_their_own_and_an_empty_version_is_none
    the_three_kinds_have_their_own_names
    a_type_without_a_name_or_with_an_unknown_property_type_is_refused
    one_bad_type_keeps_all_of_a_request_out
    external_ids_of_types_are_unique_over_all_kinds
    a_base_type_is_kept_shown_and_cannot_change
    a_base_type_cannot_close_a_cycle
    struct_types_read_back_and_have_a_depth_limit
    types_by_id_come_in_request_order_with_repetition
    all_types_are_listed_without_the_system_types
    all_fields_match_can_only_be_true
}

fn named(name: &str, properties: &[(&str, PropertyType)]) -> ArtifactType {
    let properties = properties.iter().map(|(name, of)| ((*name).to_owned(), *of as i32)).collect();
    ArtifactType { name: Some(name.to_owned()), properties, ..ArtifactType::default() }
}

fn put(artifact_type: ArtifactType) -> PutArtifactTypeRequest {
    PutArtifactTypeRequest { artifact_type: Some(artifact_type), ..Default::default() }
}

fn get(name: &str, version: Option<&str>) -> GetArtifactTypeRequest {
    GetArtifactTypeRequest {
        type_name: Some(name.to_owned()),
        type_version: version.map(str::to_owned),
        ..Default::default()
    }
}

fn the_first_user_type_follows_the_nine_system_types(fresh: &Fresh) {
    assert_eq!(fresh.call(put(named("A", &[]))).type_id(), 10);
    let system = fresh.call(get("mlmd.Statistics", None)).artifact_type.unwrap();
    assert_eq!(system.id(), 4);
}

fn putting_the_same_type_again_gives_the_same_id(fresh: &Fresh) {
    let request = put(named("A", &[("x", PropertyType::Int)]));
    let first = fresh.call(request.clone());
    assert_eq!(fresh.call(request), first);
}

fn a_type_with_other_properties_is_refused_by_name(fresh: &Fresh) {
    fresh.call(put(named("A", &[("x", PropertyType::Int), ("y", PropertyType::Int)])));
    for (changed, name) in [
        (named("A", &[("x", PropertyType::Double), ("y", PropertyType::Int)]), "`x`"),
        (named("A", &[("x", PropertyType::Int)]), "`y`"),
        (
            named(
                "A",
                &[("x", PropertyType::Int), ("y", PropertyType::Int), ("z", PropertyType::Int)],
            ),
            "`z`",
        ),
    ] {
        let error = fresh.refused(AlreadyExists, put(changed));
        assert!(error.message().contains(name), "{error}");
    }
}

fn a_type_grows_and_shrinks_when_asked(fresh: &Fresh) {
    let id = fresh.call(put(named("A", &[("x", PropertyType::Int)]))).type_id();
    let both = PutArtifactTypeRequest {
        can_add_fields: Some(true),
        can_omit_fields: Some(true),
        ..put(named("A", &[("y", PropertyType::String)]))
    };
    assert_eq!(fresh.call(both).type_id(), id);
    let stored = fresh.call(get("A", None)).artifact_type.unwrap();
    assert_eq!(stored.properties.keys().collect::<Vec<_>>(), ["x", "y"]);
}

fn a_type_may_grow_more_than_once_in_a_request(fresh: &Fresh) {
    let artifact_types = vec![
        named("A", &[("x", PropertyType::Int)]),
        named("B", &[]),
        named("A", &[("x", PropertyType::Int), ("y", PropertyType::Int)]),
        named("A", &[("x", PropertyType::Int), ("y", PropertyType::Int)]),
    ];
    let request =
        PutTypesRequest { artifact_types, can_add_fields: Some(true), ..Default::default() };
    let ids = fresh.call(request).artifact_type_ids;
    assert_eq!(ids, [10, 11, 10, 10]);
    let stored = fresh.call(get("A", None)).artifact_type.unwrap();
    assert_eq!(stored.properties.keys().collect::<Vec<_>>(), ["x", "y"]);
}

fn versions_are_types_of_their_own_and_an_empty_version_is_none(fresh: &Fresh) {
    let versioned =
        |version: &str| ArtifactType { version: Some(version.to_owned()), ..named("A", &[]) };
    let plain = fresh.call(put(named("A", &[]))).type_id();
    assert_eq!(fresh.call(put(versioned(""))).type_id(), plain);
    let first = fresh.call(put(versioned("v1"))).type_id();
    assert_ne!(first, plain);
    assert_eq!(fresh.call(get("A", Some("v1"))).artifact_type.unwrap().id(), first);
    let stored = fresh.call(get("A", Some(""))).artifact_type.unwrap();
    assert_eq!((stored.id(), stored.version), (plain, None));
    fresh.refused(NotFound, get("A", Some("v2")));
}

fn the_three_kinds_have_their_own_names(fresh: &Fresh) {
    let ids = [fresh.artifact_type("A"), fresh.execution_type("A"), fresh.context_type("A")];
    assert_eq!(ids, [10, 11, 12]);
}

fn a_type_without_a_name_or_with_an_unknown_property_type_is_refused(fresh: &Fresh) {
    fresh.refused(InvalidArgument, put(ArtifactType::default()));
    fresh.refused(InvalidArgument, PutArtifactTypeRequest::default());
    fresh.refused(InvalidArgument, put(named("A", &[("x", PropertyType::Unknown)])));
    let mut unknown = named("A", &[]);
    unknown.properties.insert("x".into(), 99);
    fresh.refused(InvalidArgument, put(unknown));
}

fn one_bad_type_keeps_all_of_a_request_out(fresh: &Fresh) {
    let request = PutTypesRequest {
        artifact_types: vec![named("Good", &[]), named("", &[])],
        ..Default::default()
    };
    fresh.refused(InvalidArgument, request);
    fresh.refused(NotFound, get("Good", None));
}

fn external_ids_of_types_are_unique_over_all_kinds(fresh: &Fresh) {
    let external =
        |name, id: &str| ArtifactType { external_id: Some(id.to_owned()), ..named(name, &[]) };
    fresh.call(put(external("A", "x")));
    fresh.call(put(external("B", "y")));
    fresh.refused(AlreadyExists, put(external("C", "x")));
    fresh.refused(Internal, put(external("B", "x")));
    let execution_type = ExecutionType {
        name: Some("E".into()),
        external_id: Some("x".into()),
        ..ExecutionType::default()
    };
    let execution_type = Some(execution_type);
    fresh.refused(Internal, PutExecutionTypeRequest { execution_type, ..Default::default() });

    fresh.call(put(external("A", "z")));
    fresh.call(put(named("A", &[])));
    let artifact_types = vec![external("Twice", "t"), named("Twice", &[])];
    fresh.call(PutTypesRequest { artifact_types, ..Default::default() });
    let twice = fresh.call(get("Twice", None)).artifact_type.unwrap();
    assert_eq!(twice.external_id.as_deref(), Some("t"));
    let by_id = |ids: &[&str]| GetArtifactTypesByExternalIdsRequest {
        external_ids: ids.iter().map(|&id| id.to_owned()).collect(),
        ..Default::default()
    };
    let found = fresh.call(by_id(&["z", "unknown"])).artifact_types;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name(), "A");
    fresh.refused(NotFound, by_id(&["x"]));
    fresh.refused(InvalidArgument, by_id(&["z", ""]));
    assert!(fresh.call(by_id(&[])).artifact_types.is_empty());
}

fn a_base_type_is_kept_shown_and_cannot_change(fresh: &Fresh) {
    let based = |base| ArtifactType { base_type: Some(base), ..named("A", &[]) };
    let id = fresh.call(put(based(2))).type_id();
    fresh.call(put(named("A", &[])));
    assert_eq!(fresh.call(get("A", None)).artifact_type.unwrap().base_type, Some(2));
    let ids = GetArtifactTypesByIdRequest { type_ids: vec![id], ..Default::default() };
    assert_eq!(fresh.call(ids).artifact_types[0].base_type, Some(2));
    fresh.refused(Unimplemented, put(based(1)));
    fresh.refused(Unimplemented, put(based(0)));
    fresh.refused(InvalidArgument, put(based(77)));
}

fn a_base_type_cannot_close_a_cycle(fresh: &Fresh) {
    let based = |name, base| ArtifactType { base_type: Some(base), ..named(name, &[]) };
    fresh.refused(InvalidArgument, put(based("mlmd.Model", 2)));
    fresh.call(put(based("mlmd.Model", 1)));
    fresh.refused(InvalidArgument, put(based("mlmd.Dataset", 2)));
}

fn struct_types_read_back_and_have_a_depth_limit(fresh: &Fresh) {
    let nested = |depth: usize| {
        let any = artifact_struct_type::Kind::Any(Default::default());
        let mut inner = ArtifactStructType { kind: Some(any) };
        for _ in 1..depth {
            let list = ListArtifactStructType { element: Some(Box::new(inner)) };
            let kind = artifact_struct_type::Kind::List(Box::new(list));
            inner = ArtifactStructType { kind: Some(kind) };
        }
        let execution_type = ExecutionType {
            name: Some("E".into()),
            input_type: Some(inner),
            ..ExecutionType::default()
        };
        PutExecutionTypeRequest { execution_type: Some(execution_type), ..Default::default() }
    };
    let request = nested(30);
    fresh.call(request.clone());
    let stored = GetExecutionTypeRequest { type_name: Some("E".into()), ..Default::default() };
    let stored = fresh.call(stored).execution_type.unwrap();
    assert_eq!(stored.input_type, request.execution_type.unwrap().input_type);
    let mut deep = nested(31);
    deep.execution_type.as_mut().unwrap().name = Some("F".into());
    let error = fresh.refused(InvalidArgument, deep);
    assert!(error.message().contains("30"), "{error}");
}

fn types_by_id_come_in_request_order_with_repetition(fresh: &Fresh) {
    let first = fresh.artifact_type("A");
    let second = fresh.artifact_type("B");
    let type_ids = vec![second, 999, first, second, fresh.execution_type("E")];
    let request = GetArtifactTypesByIdRequest { type_ids, ..Default::default() };
    let names: Vec<_> =
        fresh.call(request).artifact_types.iter().map(|found| found.name().to_owned()).collect();
    assert_eq!(names, ["B", "A", "B"]);
}

fn all_types_are_listed_without_the_system_types(fresh: &Fresh) {
    assert!(fresh.call(GetArtifactTypesRequest::default()).artifact_types.is_empty());
    fresh.artifact_type("A");
    let types = fresh.call(GetArtifactTypesRequest::default()).artifact_types;
    assert_eq!(types.len(), 1);
    assert_eq!(types[0].properties.len(), 6);
}

fn all_fields_match_can_only_be_true(fresh: &Fresh) {
    #[allow(deprecated)]
    let request = PutArtifactTypeRequest { all_fields_match: Some(false), ..put(named("A", &[])) };
    fresh.refused(Unimplemented, request);
    fresh.refused(NotFound, get("A", None));
}
