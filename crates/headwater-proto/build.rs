//! Compiles `proto/` with protox (no `protoc` needed) into Rust messages and a descriptor set.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let proto = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", proto.display());

    let mut compiler = protox::Compiler::new([&proto])?;
    compiler.include_imports(true);
    compiler.open_file("ml_metadata/proto/metadata_store_service.proto")?;
    compiler.open_file("headwater/v1/headwater.proto")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // Encoded by the compiler itself: prost's own types would lose the options of enum values.
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    prost_build::Config::new()
        // Ordered maps, so that the same message always encodes to the same bytes and text.
        .btree_map(["."])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
