//! Which of the opened files are what the command reads and makes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use globset::GlobSet;
use headwater_files::Digest;
use headwater_store::vocabulary::{ARTIFACT, DATASET, MODEL};

use super::{Stamp, Use};

/// Inputs, and outputs, that are recorded one by one. Of more, folders are recorded whole.
const ITEMS_MAX: usize = 1_000;
/// Sentences of one kind; the rest is a number.
const SENTENCES_MAX: usize = 20;

/// What the system and installed programs have: no run is about these.
const SYSTEM_FOLDERS: [&str; 19] = [
    "/proc/",
    "/sys/",
    "/dev/",
    "/run/",
    "/etc/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib",
    "/usr/share/",
    "/usr/include/",
    "/usr/local/lib/",
    "/usr/local/share/",
    "/var/cache/",
    "/nix/store/",
];
const SYSTEM_NAMES: [&str; 9] = [
    "site-packages",
    "dist-packages",
    "__pycache__",
    ".git",
    ".hg",
    ".svn",
    ".ipynb_checkpoints",
    "lib-dynload",
    "node_modules",
];
/// Data and models that were fetched once are inputs, although they are in a cache.
const CACHES_OF_DATA: [&str; 5] = ["huggingface", "torch", "kagglehub", "keras", "tensorflow"];

const MODELS: &[&str] = &[
    "bst",
    "cbm",
    "ckpt",
    "gguf",
    "joblib",
    "keras",
    "mlmodel",
    "onnx",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "safetensors",
    "tflite",
    "ubj",
];
const DATASETS: &[&str] = &[
    "arrow",
    "avro",
    "csv",
    "db",
    "feather",
    "flac",
    "h5",
    "hdf5",
    "jpeg",
    "jpg",
    "jsonl",
    "lmdb",
    "mat",
    "mp3",
    "mp4",
    "ndjson",
    "npy",
    "npz",
    "orc",
    "parquet",
    "png",
    "sqlite",
    "sqlite3",
    "tar",
    "tfrecord",
    "tfrecords",
    "tif",
    "tiff",
    "tsv",
    "wav",
    "xls",
    "xlsx",
    "zarr",
    "zip",
];

/// Whether a path is of the system, of an installation or of a cache.
pub(super) fn is_of_system(path: &[u8]) -> bool {
    if SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder.as_bytes())) {
        return true;
    }
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let next = parts.peek().copied().unwrap_or_default();
        let is_python = part == b"lib" && next.starts_with(b"python");
        let is_cache =
            part == b".cache" && !CACHES_OF_DATA.iter().any(|name| next == name.as_bytes());
        let is_named = SYSTEM_NAMES.iter().any(|name| part == name.as_bytes());
        if is_python || is_cache || is_named {
            return true;
        }
    }
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_library = name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.");
    is_library || name.ends_with(b".pyc")
}

/// What counts as an input or an output, besides [`is_of_system`].
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Where the interpreter and its packages are.
    pub(super) installed: Vec<PathBuf>,
    /// The folder of the code, and what names of its sources end with, with the dot.
    pub(super) code: Option<(PathBuf, Vec<String>)>,
    /// Files of the store, which all begin like this.
    pub(super) store: Option<PathBuf>,
    /// The caller's home.
    pub(super) home: Option<PathBuf>,
    /// What the caller does not want.
    pub(super) ignored: GlobSet,
}

impl Rules {
    fn leaves_out(&self, path: &Path) -> bool {
        let here = env::current_dir().unwrap_or_default();
        let relative = path.strip_prefix(&here).unwrap_or(path);
        let is_of_store = self.store.as_ref().is_some_and(|store| {
            path.as_os_str().as_bytes().starts_with(store.as_os_str().as_bytes())
        });
        is_of_store
            || self.is_configuration(path, &here)
            || is_of_system(path.as_os_str().as_bytes())
            || self.installed.iter().any(|folder| path.starts_with(folder))
            || self.ignored.is_match(path)
            || self.ignored.is_match(relative)
    }

    /// Whether a path is in a hidden folder of the home, where programs keep what is theirs, and
    /// the command does not run there itself.
    fn is_configuration(&self, path: &Path, here: &Path) -> bool {
        let Some(home) = &self.home else { return false };
        let Some(first) = path.strip_prefix(home).ok().and_then(|rest| rest.iter().next()) else {
            return false;
        };
        let is_hidden = first.as_bytes().starts_with(b".");
        // What is in a cache is decided by its path.
        let is_of_data = [".cache", ".keras"].iter().any(|name| first == *name);
        is_hidden && !is_of_data && !here.starts_with(home.join(first))
    }

    fn is_code(&self, path: &Path) -> bool {
        self.code.as_ref().is_some_and(|(folder, suffixes)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            path.starts_with(folder) && suffixes.iter().any(|suffix| name.ends_with(suffix))
        })
    }
}

/// A file or folder to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) path: PathBuf,
    pub(super) is_input: bool,
    /// As it was when it was read; not known of a folder.
    pub(super) stamp: Option<Stamp>,
}

impl Item {
    /// What kind of artifact it is, as its name tells.
    pub(super) fn type_name(&self) -> &'static str {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|end| name.strip_suffix(end));
        let name = plain.unwrap_or(&name);
        let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
        if MODELS.contains(&suffix) {
            MODEL
        } else if DATASETS.contains(&suffix) || (self.path.is_dir() && self.is_input) {
            DATASET
        } else {
            ARTIFACT
        }
    }

    /// What it is to the run: the first step of the event's path.
    pub(super) fn role(&self) -> &'static str {
        match (self.type_name(), self.is_input) {
            (MODEL, _) => "model",
            (_, true) => "input",
            (_, false) => "output",
        }
    }

    /// Reads it whole.
    pub(super) fn digest(&self, is_stopped: &dyn Fn() -> bool) -> Result<Digest, String> {
        let changed = || format!("`{}` has changed since it was read", self.path.display());
        if self.stamp.is_some_and(|stamp| Stamp::at(&self.path) != Some(stamp)) {
            return Err(changed());
        }
        let mut progress = |_, _| match is_stopped() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let digest = headwater_files::digest(&self.path, &mut progress);
        let digest = digest
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
        if self.stamp.is_some_and(|stamp| Stamp::at(&self.path) != Some(stamp)) {
            return Err(changed());
        }
        Ok(digest)
    }
}

/// Inputs and outputs among the files that were used, and what cannot be recorded.
pub(super) fn chosen(uses: Vec<(OsString, Use)>, rules: &Rules) -> (Vec<Item>, Vec<String>) {
    let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeSet::new());
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for (path, found) in uses {
        let path = PathBuf::from(path);
        if rules.leaves_out(&path) {
            continue;
        }
        let now = Stamp::at(&path);
        // Opened for writing, and not written to.
        let is_same = found.before.is_some() && found.before == now;
        let is_output = found.is_written && !is_same && now.is_some();
        if is_output {
            outputs.insert(path.clone());
        }
        match found.read {
            Some(_) if rules.is_code(&path) => {}
            Some(_) if now.is_none() => gone.push(path),
            Some(stamp) if now != Some(stamp) => changed.push(path),
            Some(stamp) => {
                inputs.insert(path, stamp);
            }
            None => {}
        }
    }
    let mut problems = Vec::new();
    problems.extend(listed(&gone, "was read and is gone, so what it held is not recorded"));
    problems
        .extend(listed(&changed, "was read and then changed, so what was read is not recorded"));
    let mut items = Vec::new();
    let (single, folders) = grouped(inputs.keys().cloned().collect(), "inputs", &mut problems);
    items.extend(single.into_iter().map(|path| {
        let stamp = inputs.get(&path).copied();
        Item { path, is_input: true, stamp }
    }));
    items.extend(folders.into_iter().map(|path| Item { path, is_input: true, stamp: None }));
    let (single, folders) = grouped(outputs, "outputs", &mut problems);
    let both = single.into_iter().chain(folders);
    items.extend(both.map(|path| Item { path, is_input: false, stamp: None }));
    (items, problems)
}

fn listed(paths: &[PathBuf], what: &str) -> Vec<String> {
    let shown = paths.iter().take(SENTENCES_MAX);
    let mut found: Vec<String> =
        shown.map(|path| format!("`{}` {what}.", path.display())).collect();
    if paths.len() > SENTENCES_MAX {
        found.push(format!("So it is with {} more files.", paths.len() - SENTENCES_MAX));
    }
    found
}

/// At most as many as are recorded: where there are more, the folders with the most of them stand
/// for these.
fn grouped(
    mut files: BTreeSet<PathBuf>,
    what: &str,
    problems: &mut Vec<String>,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let count = files.len();
    let mut folders = BTreeSet::new();
    while files.len() + folders.len() > ITEMS_MAX {
        let mut inside: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for path in files.iter().chain(&folders) {
            if let Some(folder) = path.parent().filter(|folder| !is_wide(folder)) {
                *inside.entry(folder.to_owned()).or_default() += 1;
            }
        }
        let Some((folder, _)) = inside.into_iter().max_by_key(|(_, count)| *count) else { break };
        files.retain(|path| !path.starts_with(&folder));
        folders.retain(|path| !path.starts_with(&folder));
        folders.insert(folder);
    }
    if !folders.is_empty() {
        let whole: Vec<_> =
            folders.iter().take(3).map(|path| format!("`{}`", path.display())).collect();
        let more = if folders.len() > 3 { " and others" } else { "" };
        let whole = whole.join(", ");
        problems.push(format!("{count} {what} are too many: {whole}{more} are recorded whole."));
    }
    let left = (files.len() + folders.len()).saturating_sub(ITEMS_MAX);
    if left > 0 {
        problems.push(format!("{left} {what} more are not recorded: they are too many."));
    }
    (files.into_iter().take(ITEMS_MAX).collect(), folders.into_iter().collect())
}

/// Whether a folder holds much besides what the command used.
fn is_wide(folder: &Path) -> bool {
    let here = env::current_dir().unwrap_or_default();
    let home = env::var_os("HOME").and_then(|home| fs::canonicalize(home).ok());
    here.starts_with(folder) || home.is_some_and(|home| home.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_system_is_known_by_its_path() {
        for path in [
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "/home/me/venv/lib/python3.11/json/__init__.py",
            "/home/me/p/__pycache__/a.pyc",
            "/home/me/.cache/pip/x",
            "/home/me/p/.git/config",
            "/data/libfast.so",
        ] {
            assert!(is_of_system(path.as_bytes()), "{path}");
        }
        for path in [
            "/home/me/data.csv",
            "/home/me/.cache/huggingface/hub/model.safetensors",
            "/mnt/library/a.csv",
            "/home/me/libs/python.csv",
        ] {
            assert!(!is_of_system(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn of_many_files_the_fullest_folder_stands_for_its_own() {
        let mut files: BTreeSet<PathBuf> =
            (0..2_000).map(|at| PathBuf::from(format!("/data/images/{at}.png"))).collect();
        files.insert("/data/labels.csv".into());
        let mut problems = Vec::new();
        let (single, folders) = grouped(files, "inputs", &mut problems);
        assert_eq!(single, [PathBuf::from("/data/labels.csv")]);
        assert_eq!(folders, [PathBuf::from("/data/images")]);
        assert_eq!(problems, ["2001 inputs are too many: `/data/images` are recorded whole."]);
    }
}
