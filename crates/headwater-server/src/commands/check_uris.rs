//! `headwater check-uris`: whether what artifacts refer to is there still.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use headwater_files::digest;
use headwater_proto::headwater::v1::ListArtifactsRequest;
use headwater_proto::ml_metadata::{Artifact, value};
use headwater_store::Access;
use headwater_store::vocabulary::{DIGEST_SHA256, FILES, SIZE_BYTES};
use percent_encoding::percent_decode_str;

use crate::Failure;
use crate::cli::{CheckUrisArgs, Cli};
use crate::client::{Client, Place, text};
use crate::config::FileSettings;

/// Artifacts that are asked for at once.
const PAGE: i32 = 1000;

/// What became of a file or a folder.
enum Found {
    There,
    Missing,
    Changed(String),
    /// It is there, and cannot be read.
    Unreadable(String),
}

/// Runs the command. What is missing is an answer, and no error.
pub(crate) fn run(cli: &Cli, args: &CheckUrisArgs, file: &FileSettings) -> Result<(), Failure> {
    let client = Client::open(&Place::of(cli, args.server.as_deref(), file, Access::Read)?)?;
    let mut out = io::BufWriter::new(io::stdout());
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    // Of what is not on this machine: how many, by scheme.
    let mut elsewhere: BTreeMap<String, u64> = BTreeMap::new();
    let mut page_token = String::new();
    let filter = match args.filter.as_deref() {
        Some(filter) => format!("uri != '' AND ({filter})"),
        None => "uri != ''".to_owned(),
    };
    loop {
        let page_size = PAGE;
        let request = ListArtifactsRequest {
            filter: filter.clone(),
            page_size,
            page_token,
            ..Default::default()
        };
        let page = client.call(&request)?;
        for artifact in &page.artifacts {
            let Some(path) = path_of(artifact.uri()) else {
                *elsewhere.entry(scheme_of(artifact.uri()).to_owned()).or_default() += 1;
                continue;
            };
            let (word, note) = match look(&path, artifact, args.verify) {
                Found::There => ("there", None),
                Found::Missing => ("missing", Some(String::new())),
                Found::Changed(how) => ("changed", Some(how)),
                Found::Unreadable(why) => ("unreadable", Some(why)),
            };
            *counts.entry(word).or_default() += 1;
            if let Some(note) = note {
                let (id, name, uri) = (artifact.id(), artifact.name(), artifact.uri());
                let note = if note.is_empty() { note } else { format!(" ({note})") };
                writeln!(out, "{word}\t{id}\t{name}\t{uri}{note}")?;
            }
        }
        page_token = page.next_page_token.unwrap_or_default();
        if page_token.is_empty() {
            break;
        }
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or_default();
    write!(
        out,
        "{} there, {} missing, {} changed",
        count("there"),
        count("missing"),
        count("changed")
    )?;
    if count("unreadable") > 0 {
        write!(out, ", {} unreadable", count("unreadable"))?;
    }
    for (scheme, of_scheme) in elsewhere {
        write!(out, ", {of_scheme} of {scheme}: not looked at")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

/// The file or folder of this machine that a URI stands for.
fn path_of(uri: &str) -> Option<PathBuf> {
    if uri.starts_with('/') {
        return Some(PathBuf::from(uri));
    }
    let rest = uri.strip_prefix("file:")?;
    let path = match rest.strip_prefix("//") {
        // Of a host there may be a name, which is this one's.
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => rest,
    };
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    path.starts_with('/').then(|| PathBuf::from(OsString::from_vec(decoded)))
}

fn scheme_of(uri: &str) -> &str {
    uri.split_once(':').map_or("no scheme", |(scheme, _)| scheme)
}

fn look(path: &Path, artifact: &Artifact, verify: bool) -> Found {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Missing,
        Err(error) => return Found::Unreadable(error.to_string()),
    };
    let properties = &artifact.custom_properties;
    let number = |name: &str| match properties.get(name).and_then(|of| of.value.as_ref()) {
        Some(value::Value::IntValue(number)) => Some(*number),
        _ => None,
    };
    let wanted = text(properties, DIGEST_SHA256);
    let size_bytes = number(SIZE_BYTES).filter(|_| wanted.is_some() && found.is_file());
    if number(FILES).is_some() != found.is_dir() && wanted.is_some() {
        return Found::Changed(
            if found.is_dir() { "a folder now" } else { "a file now" }.to_owned(),
        );
    }
    if let Some(before) = size_bytes.filter(|size| u64::try_from(*size) != Ok(found.len())) {
        return Found::Changed(format!("{before} bytes before, {} now", found.len()));
    }
    match (wanted, verify) {
        (Some(wanted), true) => match digest(path, &mut |_, _| ControlFlow::Continue(())) {
            Ok(now) if now.sha256 == wanted => Found::There,
            Ok(_) => Found::Changed("other bytes".to_owned()),
            Err(error) => Found::Unreadable(error.to_string()),
        },
        _ => Found::There,
    }
}
