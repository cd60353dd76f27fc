//! Any text as a page token.

#![no_main]

use std::sync::LazyLock;

use headwater_proto::headwater::v1::{ListArtifactsRequest, TraceLineageRequest};
use headwater_proto::ml_metadata::list_operation_options::OrderByField;
use headwater_proto::ml_metadata::{GetArtifactsRequest, ListOperationOptions};
use headwater_store::{Caller, ErrorKind, Result, Store, StoreUrl};
use libfuzzer_sys::fuzz_target;

#[path = "graph.rs"]
mod graph;

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    graph::fill(&store);
    store
});

fn check<T>(answer: Result<T>) {
    if let Err(error) = answer {
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error:?}");
    }
}

fuzz_target!(|token: &str| {
    for field in 1..=3 {
        for is_asc in [true, false] {
            let order_by_field = Some(OrderByField { field: Some(field), is_asc: Some(is_asc) });
            let next_page_token = Some(token.to_owned());
            let options = Some(ListOperationOptions {
                order_by_field,
                next_page_token,
                ..Default::default()
            });
            check(STORE.call(&GetArtifactsRequest { options, ..Default::default() }));
        }
    }
    for order_by in ["", "name", "properties.i DESC, uri"] {
        let (order_by, page_token) = (order_by.to_owned(), token.to_owned());
        check(STORE.call(&ListArtifactsRequest { order_by, page_token, ..Default::default() }));
    }
    let trace = TraceLineageRequest {
        start_artifacts: vec!["id = 1".to_owned()],
        page_token: token.to_owned(),
        ..TraceLineageRequest::default()
    };
    check(STORE.stream(&trace, &Caller::default(), &mut |_| Ok(())));
});
