//! Where the files of the demo are: in a folder, or nowhere.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::story::Version;
use crate::Failure;

/// What may stand in the path of a URI as it is.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const BUCKET: &str = "s3://demo-churn";

/// The folder, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    root: Option<PathBuf>,
}

impl Files {
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, Failure> {
        let absolute = |folder: &Path| {
            std::path::absolute(folder)
                .map_err(|e| format!("`{}` is no folder: {e}", folder.display()))
        };
        Ok(Self { root: folder.map(absolute).transpose()? })
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        match &self.root {
            Some(root) => {
                let place = root.join(path);
                format!("file://{}", percent_encode(place.as_os_str().as_bytes(), ESCAPED))
            }
            None => format!("{BUCKET}/{path}"),
        }
    }

    /// Writes what is not there yet. A file with other content stays, and is an error before
    /// anything is written.
    pub(crate) fn write<'v>(
        &self,
        versions: impl Iterator<Item = &'v Version>,
    ) -> Result<(), Failure> {
        let Some(root) = &self.root else { return Ok(()) };
        let mut missing = Vec::new();
        for version in versions {
            let place = root.join(&version.path);
            match fs::read(&place) {
                Ok(there) if there == version.bytes => {}
                Ok(_) => {
                    return Err(format!(
                        "`{}` is there already, with other content\nhint: name an empty folder",
                        place.display()
                    )
                    .into());
                }
                Err(_) => missing.push((place, version)),
            }
        }
        for (place, version) in missing {
            write(&place, &version.bytes)
                .map_err(|e| format!("`{}` cannot be written: {e}", place.display()))?;
        }
        Ok(())
    }
}

/// A file that is there is whole.
fn write(place: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = place.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(&part, place)
}
