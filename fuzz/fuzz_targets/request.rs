//! Any bytes as the request of any method.

#![no_main]

use std::cell::RefCell;

use headwater_store::{Caller, ErrorKind, Method, Store, StoreUrl};
use libfuzzer_sys::fuzz_target;

#[path = "graph.rs"]
mod graph;

/// Calls to one store. What is written stays, and would make each call slower than the last.
const CALLS_MAX: usize = 2_000;

thread_local! {
    static STORE: RefCell<(usize, Option<Store>)> = const { RefCell::new((0, None)) };
}

fuzz_target!(|bytes: &[u8]| {
    let [of, request @ ..] = bytes else { return };
    let method = Method::ALL[usize::from(*of) % Method::ALL.len()];
    STORE.with_borrow_mut(|(calls, store)| {
        if calls.is_multiple_of(CALLS_MAX) {
            let fresh = Store::open(&StoreUrl::memory()).expect("a store");
            graph::fill(&fresh);
            *store = Some(fresh);
        }
        *calls += 1;
        let Some(store) = store else { return };
        if let Err(error) = store.run_bytes(method, request, &Caller::default(), &mut |_| Ok(())) {
            let is_ours = matches!(error.kind(), ErrorKind::Internal | ErrorKind::DataLoss);
            // MLMD answers INTERNAL to an external id that another node has.
            let is_known = error.message().contains("external_id");
            assert!(!is_ours || is_known, "{method:?}: {error:?}");
        }
    });
});
