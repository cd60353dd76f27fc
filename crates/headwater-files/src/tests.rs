//! What a digest is, and when there is none.

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use md5::Md5;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{Digest, Error, Reason, digest, digest_of, hex, list, to_the_end};

fn of(path: &Path) -> Digest {
    digest(path, &mut to_the_end).unwrap()
}

fn refusal(path: &Path) -> Error {
    digest(path, &mut to_the_end).unwrap_err()
}

/// The refusal of what changes between being listed and being read.
fn refusal_after(path: &Path, change: impl FnOnce()) -> Error {
    let list = list::list(path, &mut to_the_end).unwrap();
    change();
    digest_of(&list, &mut to_the_end).unwrap_err()
}

/// A folder with a file for each name, whose bytes are the name.
fn folder_of(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    folder
}

/// A folder's digest from its paths and bytes, as the documentation says it.
fn expected(files: &[(&[u8], &[u8])]) -> (String, String) {
    let (mut sha256, mut md5) = (Vec::new(), Vec::new());
    for (path, bytes) in files {
        sha256.extend([path, b"\0".as_slice(), hex(&Sha256::digest(bytes)).as_bytes()].concat());
        sha256.push(b'\n');
        md5.extend([path, b"\0".as_slice(), hex(&Md5::digest(bytes)).as_bytes()].concat());
        md5.push(b'\n');
    }
    (hex(&Sha256::digest(sha256)), hex(&Md5::digest(md5)))
}

#[test]
fn the_digests_of_a_file_are_those_that_everybody_computes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.csv");
    for (bytes, sha256, md5) in [
        (
            "",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "d41d8cd98f00b204e9800998ecf8427e",
        ),
        (
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "900150983cd24fb0d6963f7d28e17f72",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let size_bytes = bytes.len() as u64;
        let wanted =
            Digest { sha256: sha256.to_owned(), md5: md5.to_owned(), size_bytes, files: None };
        assert_eq!(of(&path), wanted);
    }
}

#[test]
fn files_around_the_size_of_a_part_are_read_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weights.bin");
    for size in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 4 << 20, (5 << 20) + 3] {
        let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let found = of(&path);
        assert_eq!(found.sha256, hex(&Sha256::digest(&bytes)), "{size}");
        assert_eq!(found.md5, hex(&Md5::digest(&bytes)), "{size}");
        assert_eq!(found.size_bytes, u64::from(size));
    }
}

#[test]
fn a_folder_is_the_list_of_its_files_in_the_order_of_their_bytes() {
    // `a-b` stands before `a/b`, as `-` before `/`, though `a` stands before `a-b`.
    let folder = folder_of(&["a/b", "a-b", "c", "a/a"]);
    let found = of(folder.path());
    let files = ["a-b", "a/a", "a/b", "c"].map(|name| (name.as_bytes(), name.as_bytes()));
    assert_eq!((found.sha256, found.md5), expected(&files));
    assert_eq!((found.size_bytes, found.files), (10, Some(4)));
}

#[test]
fn a_changed_byte_a_new_name_and_a_new_file_each_make_another_folder() {
    let folder = folder_of(&["a", "b"]);
    let before = of(folder.path());
    fs::write(folder.path().join("b"), "c").unwrap();
    let changed = of(folder.path());
    fs::rename(folder.path().join("b"), folder.path().join("c")).unwrap();
    let renamed = of(folder.path());
    fs::write(folder.path().join("d"), "").unwrap();
    let added = of(folder.path());
    let all = [before, changed, renamed, added].map(|each| (each.sha256, each.md5));
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.0 != one.0 && other.1 != one.1), "{at}");
    }
}

#[test]
fn an_empty_folder_has_an_empty_list_and_counts_for_nothing_in_another() {
    let folder = folder_of(&["a"]);
    let before = of(folder.path());
    fs::create_dir_all(folder.path().join("b/c")).unwrap();
    assert_eq!(of(folder.path()), before);
    let empty = of(&folder.path().join("b"));
    assert_eq!((empty.sha256, empty.md5), expected(&[]));
    assert_eq!((empty.size_bytes, empty.files), (0, Some(0)));
}

#[test]
fn names_are_bytes() {
    let folder = TempDir::new().unwrap();
    let names: [&[u8]; 3] = [b"\xff\xfe", b"line\nbreak", "\u{e9}".as_bytes()];
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let found = of(folder.path());
    let files = [names[1], names[2], names[0]].map(|name| (name, b"x".as_slice()));
    assert_eq!((found.sha256, found.md5), expected(&files));
}

#[test]
fn a_folder_of_links_is_the_same_as_a_copy_without() {
    let elsewhere = folder_of(&["blob", "images/1.png"]);
    let folder = TempDir::new().unwrap();
    symlink(elsewhere.path().join("blob"), folder.path().join("blob")).unwrap();
    symlink(elsewhere.path().join("images"), folder.path().join("images")).unwrap();
    assert_eq!(of(folder.path()), of(elsewhere.path()));
    let link = folder.path().join("link");
    symlink(elsewhere.path(), &link).unwrap();
    assert_eq!(of(&link), of(elsewhere.path()));
}

#[test]
fn a_link_to_a_folder_around_it_is_left_out() {
    let outer = folder_of(&["data/inner/a", "other"]);
    let folder = outer.path().join("data");
    let before = of(&folder);
    symlink("..", folder.join("inner/up")).unwrap();
    symlink(".", folder.join("inner/here")).unwrap();
    // Out of the folder, and by that back into it.
    symlink("../..", folder.join("inner/out")).unwrap();
    assert_eq!(of(&folder), before);
}

#[test]
fn a_link_that_leads_nowhere_is_refused_by_its_name() {
    let folder = folder_of(&["a"]);
    let link = folder.path().join("b");
    symlink("missing", &link).unwrap();
    let error = refusal(folder.path());
    assert_eq!(error.path, link);
    assert!(matches!(error.reason, Reason::BrokenLink(_)), "{error}");
    fs::remove_file(&link).unwrap();
    symlink("b", &link).unwrap();
    assert!(matches!(refusal(folder.path()).reason, Reason::BrokenLink(_)));
}

#[test]
fn a_socket_is_no_part_of_a_folder_and_no_file() {
    let folder = folder_of(&["a"]);
    let before = of(folder.path());
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(of(folder.path()), before);
    assert!(matches!(refusal(&socket).reason, Reason::NotAFile));
    assert!(matches!(refusal("/dev/null".as_ref()).reason, Reason::NotAFile));
}

#[test]
fn what_is_not_there_is_said_with_its_path() {
    let error = refusal("/no/such/data.csv".as_ref());
    assert_eq!(error.to_string(), "`/no/such/data.csv` cannot be read: no such file or directory");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_is_named_for_root_as_well() {
    let folder = folder_of(&["a", "c"]);
    let link = folder.path().join("b");
    // Reading its first page is an I/O error, as on a disk that fails.
    symlink("/proc/self/mem", &link).unwrap();
    let error = refusal(folder.path());
    assert_eq!(error.path, link);
    assert!(matches!(error.reason, Reason::Unreadable(_)), "{error}");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let folder = folder_of(&["a", "b"]);
    let path = folder.path().join("b");
    let is_refused = |change: &dyn Fn()| {
        let error = refusal_after(folder.path(), change);
        assert!(matches!(error.reason, Reason::Changed), "{error}");
        assert_eq!(error.path, path);
    };
    is_refused(&|| fs::write(&path, "longer").unwrap());
    is_refused(&|| fs::write(&path, "").unwrap());
    // The same size.
    is_refused(&|| {
        let later = SystemTime::now() + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    });
    // The same size and time in another file.
    is_refused(&|| {
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let copy = folder.path().with_extension("copy");
        fs::copy(&path, &copy).unwrap();
        File::options().write(true).open(&copy).unwrap().set_modified(time).unwrap();
        fs::rename(&copy, &path).unwrap();
    });
}

#[test]
fn a_large_file_that_shrinks_while_it_is_read_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weights.bin");
    let file = File::create(&path).unwrap();
    file.set_len(8 << 20).unwrap();
    let error = refusal_after(&path, || file.set_len(5 << 20).unwrap());
    assert!(matches!(error.reason, Reason::Changed), "{error}");
}

#[test]
fn a_file_that_vanishes_or_appears_while_its_folder_is_read_is_noticed() {
    let folder = folder_of(&["a", "b"]);
    let path = folder.path().join("b");
    let error = refusal_after(folder.path(), || fs::remove_file(&path).unwrap());
    assert!(matches!(error.reason, Reason::Vanished), "{error}");
    assert_eq!(error.path, path);
    let error = refusal_after(folder.path(), || fs::write(&path, "back").unwrap());
    assert!(matches!(error.reason, Reason::Changed), "{error}");
    assert_eq!(error.path, folder.path());
}

#[test]
fn progress_ends_with_all_bytes_and_can_stop_the_reading() {
    let folder = folder_of(&["a", "b"]);
    let path = folder.path().join("large");
    fs::write(&path, vec![0; 6 << 20]).unwrap();
    let mut last = (0, 0);
    let mut note = |done_bytes, total_bytes| {
        assert!(done_bytes >= last.0 && done_bytes <= total_bytes);
        last = (done_bytes, total_bytes);
        ControlFlow::Continue(())
    };
    digest(folder.path(), &mut note).unwrap();
    assert_eq!(last, ((6 << 20) + 2, (6 << 20) + 2));
    let error = digest(folder.path(), &mut |_, _| ControlFlow::Break(())).unwrap_err();
    assert!(matches!(error.reason, Reason::Stopped), "{error}");
}

#[test]
fn ten_thousand_small_files_are_one_folder() {
    let folder = TempDir::new().unwrap();
    let names: Vec<String> = (0..10_000).map(|at| format!("{at:05}.png")).collect();
    for name in &names {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let found = of(folder.path());
    let files: Vec<_> = names.iter().map(|name| (name.as_bytes(), name.as_bytes())).collect();
    assert_eq!((found.sha256, found.md5), expected(&files));
    assert_eq!(found.files, Some(10_000));
}
