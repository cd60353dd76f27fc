//! Compiles `proto/` with protox (no `protoc` needed) into Rust messages and a descriptor set.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", proto.display());

    let descriptors =
        protox::compile(["ml_metadata/proto/metadata_store_service.proto"], [&proto])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    prost_build::Config::new()
        // Ordered maps, so that the same message always encodes to the same bytes and text.
        .btree_map(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
