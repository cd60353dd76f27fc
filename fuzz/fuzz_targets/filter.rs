//! Any text as a filter, and as an order.

#![no_main]

use std::sync::LazyLock;

use headwater_proto::headwater::v1::{
    ListArtifactsRequest, ListContextsRequest, ListExecutionsRequest,
};
use headwater_proto::ml_metadata::{
    GetArtifactsRequest, GetContextsRequest, GetExecutionsRequest, ListOperationOptions,
};
use headwater_store::{Call, ErrorKind, Store, StoreUrl};
use libfuzzer_sys::fuzz_target;

#[path = "graph.rs"]
mod graph;

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let store = Store::open(&StoreUrl::memory()).expect("a store");
    graph::fill(&store);
    store
});

fn check<R: Call>(request: &R) {
    if let Err(error) = STORE.call(request) {
        let is_the_callers =
            matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::ResourceExhausted);
        assert!(is_the_callers, "{error:?} for {request:?}");
    }
}

fuzz_target!(|text: &str| {
    let options = Some(ListOperationOptions {
        filter_query: Some(text.to_owned()),
        ..ListOperationOptions::default()
    });
    let (filter, order_by) = (text.to_owned(), text.to_owned());
    check(&GetArtifactsRequest { options: options.clone(), ..Default::default() });
    check(&GetExecutionsRequest { options: options.clone(), ..Default::default() });
    check(&GetContextsRequest { options, ..Default::default() });
    check(&ListArtifactsRequest { filter: filter.clone(), ..Default::default() });
    check(&ListExecutionsRequest { filter, ..Default::default() });
    check(&ListContextsRequest { order_by, page_size: 1, ..Default::default() });
});
