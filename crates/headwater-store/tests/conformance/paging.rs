//! Lists: every order, every page size, tokens that end where they should.

use std::collections::HashSet;

use headwater_proto::ml_metadata::list_operation_options::OrderByField;
use headwater_proto::ml_metadata::list_operation_options::order_by_field::Field;
use headwater_proto::ml_metadata::{
    Artifact, Attribution, GetArtifactsByContextRequest, GetArtifactsByTypeRequest,
    GetArtifactsRequest, GetContextsByTypeRequest, ListOperationOptions,
    PutAttributionsAndAssociationsRequest,
};
use headwater_store::ErrorKind::{InvalidArgument, ResourceExhausted};

use super::{Fresh, artifact, behaviours, context};

behaviours! {
    a_list_without_options_is_everything
    a_list_with_options_has_pages_of_twenty_by_id
    the_union_of_the_pages_is_the_set_in_every_order
    a_page_may_have_more_than_a_hundred_nodes
    a_page_that_would_be_too_large_ends_early_with_a_token
    bad_options_are_refused_but_not_where_there_is_nothing_to_list
    a_list_by_type_always_has_a_token_with_options
    a_list_by_context_has_its_members_only
}

fn make(fresh: &Fresh, n_artifacts: usize) -> (i64, Vec<i64>) {
    let type_id = fresh.artifact_type("A");
    let request = headwater_proto::ml_metadata::PutArtifactsRequest {
        artifacts: vec![artifact(type_id); n_artifacts],
        ..Default::default()
    };
    (type_id, fresh.call(request).artifact_ids)
}

fn options(field: Field, is_asc: bool, size: i32) -> ListOperationOptions {
    ListOperationOptions {
        max_result_size: Some(size),
        order_by_field: Some(OrderByField { field: Some(field as i32), is_asc: Some(is_asc) }),
        ..ListOperationOptions::default()
    }
}

fn list(options: ListOperationOptions) -> GetArtifactsRequest {
    GetArtifactsRequest { options: Some(options), ..Default::default() }
}

/// Walks all pages and gives the artifacts in the order they came.
fn walk(fresh: &Fresh, mut options: ListOperationOptions) -> Vec<Artifact> {
    let mut walked = Vec::new();
    loop {
        let page = fresh.call(list(options.clone()));
        walked.extend(page.artifacts);
        let Some(token) = page.next_page_token else { return walked };
        assert!(walked.len() < 10_000, "the pages never end");
        options.next_page_token = Some(token);
    }
}

fn ids(artifacts: &[Artifact]) -> Vec<i64> {
    artifacts.iter().map(Artifact::id).collect()
}

fn a_list_without_options_is_everything(fresh: &Fresh) {
    let (_, made) = make(fresh, 2345);
    let listed = fresh.call(GetArtifactsRequest::default());
    assert_eq!((ids(&listed.artifacts), listed.next_page_token), (made, None));
}

fn a_list_with_options_has_pages_of_twenty_by_id(fresh: &Fresh) {
    let (_, made) = make(fresh, 21);
    let asked = ListOperationOptions {
        filter_query: Some(String::new()),
        next_page_token: Some(String::new()),
        ..ListOperationOptions::default()
    };
    let page = fresh.call(list(asked));
    assert_eq!(ids(&page.artifacts), made[..20]);
    let rest = ListOperationOptions {
        next_page_token: page.next_page_token,
        ..ListOperationOptions::default()
    };
    let rest = fresh.call(list(rest));
    assert_eq!((ids(&rest.artifacts), rest.next_page_token), (made[20..].to_vec(), None));
}

fn the_union_of_the_pages_is_the_set_in_every_order(fresh: &Fresh) {
    // All in one millisecond each: the id decides, where MLMD loses nodes or never ends.
    let (_, made) = make(fresh, 120);
    for id in made.iter().step_by(3) {
        fresh.artifacts([Artifact { id: Some(*id), state: Some(2), ..Artifact::default() }]);
    }
    for field in [Field::Id, Field::CreateTime, Field::LastUpdateTime] {
        for is_asc in [true, false] {
            for size in [1, 7, 60, 119, 120, 121] {
                let walked = walk(fresh, options(field, is_asc, size));
                let distinct: HashSet<i64> = ids(&walked).into_iter().collect();
                assert_eq!((walked.len(), distinct.len()), (120, 120), "{field:?} {is_asc} {size}");
                let key = |artifact: &Artifact| match field {
                    Field::CreateTime => (artifact.create_time_since_epoch(), artifact.id()),
                    Field::LastUpdateTime => {
                        (artifact.last_update_time_since_epoch(), artifact.id())
                    }
                    _ => (0, artifact.id()),
                };
                let mut sorted = walked.clone();
                sorted.sort_by_key(key);
                if !is_asc {
                    sorted.reverse();
                }
                assert_eq!(ids(&walked), ids(&sorted), "{field:?} {is_asc} {size}");
            }
        }
    }
}

fn a_page_may_have_more_than_a_hundred_nodes(fresh: &Fresh) {
    let (_, made) = make(fresh, 1500);
    let page = fresh.call(list(options(Field::Id, true, 1234)));
    assert_eq!(ids(&page.artifacts), made[..1234]);
    assert!(page.next_page_token.is_some());
    let all = fresh.call(list(options(Field::Id, false, i32::MAX)));
    assert_eq!((all.artifacts.len(), all.next_page_token), (1500, None));
}

/// Large properties and large heads alike; all at once, without pages, they do not fit.
fn a_page_that_would_be_too_large_ends_early_with_a_token(fresh: &Fresh) {
    let type_id = fresh.artifact_type("A");
    let long = "x".repeat(4 << 20);
    let by_uri = Artifact { uri: Some(long.clone()), ..artifact(type_id) };
    let custom_properties = super::properties([("c", super::text(&long))]);
    let by_property = Artifact { custom_properties, ..artifact(type_id) };
    for node in [&by_uri, &by_property] {
        let artifacts = vec![node.clone(); 20];
        let request =
            headwater_proto::ml_metadata::PutArtifactsRequest { artifacts, ..Default::default() };
        fresh.call(request);
    }
    for is_asc in [true, false] {
        let first = fresh.call(list(options(Field::Id, is_asc, 1000)));
        assert!((20..40).contains(&first.artifacts.len()), "{}", first.artifacts.len());
        assert!(first.next_page_token.is_some());
        assert_eq!(walk(fresh, options(Field::Id, is_asc, 1000)).len(), 40);
    }
    fresh.refused(ResourceExhausted, GetArtifactsRequest::default());
}

fn bad_options_are_refused_but_not_where_there_is_nothing_to_list(fresh: &Fresh) {
    let (_, made) = make(fresh, 3);
    let token = fresh.call(list(options(Field::CreateTime, true, 1))).next_page_token;
    let bad = [
        options(Field::Id, true, 0),
        options(Field::Id, true, -5),
        options(Field::Unspecified, true, 5),
        ListOperationOptions {
            next_page_token: Some("garbage".into()),
            ..options(Field::Id, true, 5)
        },
        ListOperationOptions { next_page_token: token, ..options(Field::CreateTime, false, 5) },
    ];
    let empty = fresh.contexts([context(fresh.context_type("C"), "empty")])[0];
    for options in bad {
        fresh.refused(InvalidArgument, list(options.clone()));
        let of_type = GetArtifactsByTypeRequest {
            type_name: Some("A".into()),
            options: Some(options.clone()),
            ..Default::default()
        };
        fresh.refused(InvalidArgument, of_type);
        let members = GetArtifactsByContextRequest {
            context_id: Some(empty),
            options: Some(options),
            ..Default::default()
        };
        assert!(fresh.call(members).artifacts.is_empty());
    }
    assert_eq!(made.len(), 3);
}

fn a_list_by_type_always_has_a_token_with_options(fresh: &Fresh) {
    make(fresh, 3);
    fresh.artifact_type("Empty");
    let of = |type_name: &str, options| GetArtifactsByTypeRequest {
        type_name: Some(type_name.to_owned()),
        options,
        ..Default::default()
    };
    let plain = fresh.call(of("A", None));
    assert_eq!((plain.artifacts.len(), plain.next_page_token), (3, None));
    let last = fresh.call(of("A", Some(options(Field::Id, true, 3))));
    assert_eq!((last.artifacts.len(), last.next_page_token.as_deref()), (3, Some("")));
    let first = fresh.call(of("A", Some(options(Field::Id, true, 2))));
    assert_eq!(first.artifacts.len(), 2);
    let rest = ListOperationOptions {
        next_page_token: first.next_page_token,
        ..options(Field::Id, true, 2)
    };
    assert_eq!(fresh.call(of("A", Some(rest))).artifacts.len(), 1);
    for name in ["Empty", "unknown"] {
        let none = fresh.call(of(name, Some(options(Field::Id, true, 2))));
        assert_eq!((none.artifacts.len(), none.next_page_token), (0, None));
    }
    let request = GetContextsByTypeRequest { type_name: Some("A".into()), ..Default::default() };
    assert!(fresh.call(request).contexts.is_empty());
}

fn a_list_by_context_has_its_members_only(fresh: &Fresh) {
    let (_, made) = make(fresh, 10);
    let context_id = Some(fresh.contexts([context(fresh.context_type("C"), "c")])[0]);
    let attributions = made[..5]
        .iter()
        .map(|id| Attribution { artifact_id: Some(*id), context_id, ..Default::default() })
        .collect();
    fresh.call(PutAttributionsAndAssociationsRequest { attributions, ..Default::default() });
    let members = |options| GetArtifactsByContextRequest {
        context_id,
        options: Some(options),
        ..Default::default()
    };
    let page = fresh.call(members(options(Field::CreateTime, false, 3)));
    assert_eq!(ids(&page.artifacts), [made[4], made[3], made[2]]);
    let rest = ListOperationOptions {
        next_page_token: page.next_page_token,
        ..options(Field::CreateTime, false, 3)
    };
    let rest = fresh.call(members(rest));
    assert_eq!((ids(&rest.artifacts), rest.next_page_token), (vec![made[1], made[0]], None));
}
