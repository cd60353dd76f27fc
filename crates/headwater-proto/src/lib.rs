//! The contracts as Rust types: generated from `proto/`, no logic.
//!
//! [`ml_metadata`] holds the messages of MLMD's contract, [`headwater`] those of our own;
//! [`descriptors`] the same as data, from which come JSON, gRPC reflection and the contract test.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// Messages of the package `ml_metadata`: MLMD's own names, numbers and defaults.
#[allow(missing_docs, deprecated, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod ml_metadata {
    include!(concat!(env!("OUT_DIR"), "/ml_metadata.rs"));
}

/// Messages of the packages `headwater.*`.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod headwater {
    /// Messages of the package `headwater.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/headwater.v1.rs"));
    }
}

/// Every descriptor of the contracts, encoded as a `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The contracts as data, for anything that must look at messages by name.
pub fn descriptors() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(DESCRIPTOR_SET).expect("build.rs wrote a valid descriptor set")
    });
    &POOL
}
