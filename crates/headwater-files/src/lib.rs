//! What a file or a folder is, by its bytes: the digests that a version of a dataset or a model
//! has. Knows no store.
//!
//! ```
//! # fn main() -> Result<(), headwater_files::Error> {
//! let digest = headwater_files::digest("Cargo.toml".as_ref(), &mut headwater_files::to_the_end)?;
//! assert_eq!(digest.sha256.len(), 64);
//! # Ok(())
//! # }
//! ```
//!
//! # Folders
//!
//! A folder's digest is that of its list, which has a line for each plain file below it, in the
//! order of the bytes of their paths: the path relative to the folder, a NUL, the file's digest in
//! hexadecimal digits, a newline. SHA-256 over the lines with SHA-256, MD5 over those with MD5.
//! Names are bytes. Modes, owners, times, empty folders, sockets, pipes and devices are no part of
//! it.
//!
//! A link counts as what it leads to, within the folder or out of it, as it does for a program that
//! reads the folder: the caches of Hugging Face and DVC are folders of links to files elsewhere. So
//! a copy without links has the same digest. Left out is a link to a folder that it stands in
//! itself, which has no end. A link to nothing is an error: nobody can read that folder whole.
//!
//! # Changes
//!
//! What changes while it is read has no digest: size, time of modification and inode of each file
//! are compared from when the folder was listed to when the file has been read, and those of the
//! folders until everything has been. What they do not tell, such as two writes within one tick of
//! the file system's clock, is not seen.

mod error;
mod list;
mod read;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::Path;

pub use error::{Error, Reason};

/// The content of a file, or of all plain files in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256 of the bytes, or of the folder's list, in hexadecimal digits.
    pub sha256: String,
    /// MD5 likewise: what `md5sum` prints for a file.
    pub md5: String,
    /// Of all files.
    pub size_bytes: u64,
    /// How many there are in a folder; `None` for a file.
    pub files: Option<u64>,
}

/// Reads a file or a folder once and computes both digests, on as many threads as there are cores
/// for this process.
///
/// `progress` is called by this thread, about ten times a second, with the bytes done of the bytes
/// there are, and at the end. While a folder is listed, nothing is done and the number grows. What
/// it answers is whether to go on.
///
/// # Errors
///
/// What cannot be read, is neither file nor folder, or changes meanwhile: [`Reason`].
pub fn digest(
    path: &Path,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Digest, Error> {
    let list = list::list(path, progress)?;
    digest_of(&list, progress)
}

fn digest_of(
    list: &list::List,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Digest, Error> {
    let digests = read::read(list, progress)?;
    for (folder, seen) in &list.folders {
        seen.check(folder)?;
    }
    let both = match digests.first() {
        Some(only) if !list.is_folder => only,
        _ => &read::of_lines(list.files.iter().map(|file| &*file.relative).zip(&digests)),
    };
    Ok(Digest {
        sha256: hex(&both.sha256),
        md5: hex(&both.md5),
        size_bytes: list.size_bytes,
        files: list.is_folder.then_some(list.files.len() as u64),
    })
}

/// A progress that nobody looks at.
pub fn to_the_end(_done_bytes: u64, _total_bytes: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four_bits: u8| char::from(DIGITS[usize::from(four_bits)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
