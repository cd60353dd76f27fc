//! The MLMD contract as Rust types: generated from `proto/ml_metadata/proto/*.proto`, no logic.
//!
//! [`ml_metadata`] holds the messages; [`descriptors`] the same contract as data, from which
//! come JSON, text format, gRPC reflection and the contract test.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// Messages of the package `ml_metadata`: MLMD's own names, numbers and defaults.
#[allow(missing_docs, deprecated, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod ml_metadata {
    include!(concat!(env!("OUT_DIR"), "/ml_metadata.rs"));
}

/// Every descriptor of the contract, encoded as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The contract as data, for anything that must look at messages by name.
pub fn descriptors() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(DESCRIPTOR_SET).expect("build.rs wrote a valid descriptor set")
    });
    &POOL
}
