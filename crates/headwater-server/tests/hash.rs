//! `headwater hash` beside `md5sum` and `sha256sum`.

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn program(name: &str, folder: &Path, args: &[&OsStr]) -> Output {
    Command::new(name).current_dir(folder).args(args).output().unwrap()
}

fn hash(folder: &Path, args: &[&OsStr]) -> Output {
    let args = [&[OsStr::new("hash")], args].concat();
    program(env!("CARGO_BIN_EXE_headwater"), folder, &args)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_line_has_what_md5sum_and_sha256sum_print() {
    let folder = TempDir::new().unwrap();
    // Among them names that a line cannot have as they are, and one that is not UTF-8.
    let names: [&[u8]; 5] = [b"data.csv", b"empty", b"two\nlines", b"back\\slash", b"\xff.bin"];
    for (at, name) in names.iter().enumerate() {
        fs::write(folder.path().join(OsStr::from_bytes(name)), vec![b'x'; at * 70_000]).unwrap();
    }
    for name in names {
        let name = OsStr::from_bytes(name);
        let ours = hash(folder.path(), &[name]);
        let md5 = program("md5sum", folder.path(), &[name]).stdout;
        let sha256 = program("sha256sum", folder.path(), &[name]).stdout;
        let md5_end = md5.iter().position(|byte| *byte == b' ').unwrap();
        // The mark of an escaped name stands before the first of the two.
        let mark = usize::from(sha256.starts_with(b"\\"));
        let wanted = [&md5[..md5_end], b"  ", &sha256[mark..]].concat();
        assert_eq!(ours.stdout.escape_ascii().to_string(), wanted.escape_ascii().to_string());
        assert!(ours.status.success() && ours.stderr.is_empty(), "{ours:?}");
    }
}

#[test]
fn a_folder_is_what_one_line_of_shell_makes_of_its_list() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("part")).unwrap();
    for name in ["part/b", "part-0", "z"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let ours = hash(folder.path(), &[OsStr::new(".")]);
    let one = |tool: &str| {
        // `sort -z` sorts the names alone, since each ends before its digest.
        let script = format!(
            "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | while IFS= read -r -d '' name; do \
             printf '%s\\0%s\\n' \"$name\" \"$({tool} <\"$name\" | cut -d' ' -f1)\"; done | {tool}"
        );
        let made = program("bash", folder.path(), &["-c".as_ref(), script.as_ref()]).stdout;
        text(&made).split(' ').next().unwrap().to_owned()
    };
    let wanted = format!("{}  {}  .\n", one("md5sum"), one("sha256sum"));
    assert_eq!(text(&ours.stdout), wanted);
}

#[test]
fn json_has_size_and_count_as_well() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a"), "abc").unwrap();
    let ours = hash(folder.path(), &["--json".as_ref(), "a".as_ref(), ".".as_ref()]);
    let lines: Vec<serde_json::Value> =
        text(&ours.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[0],
        serde_json::json!({
            "path": "a",
            "md5": "900150983cd24fb0d6963f7d28e17f72",
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "size_bytes": 3,
            "files": null,
        })
    );
    assert_eq!(lines[1]["files"], 1);
    assert_eq!(lines[1]["size_bytes"], 3);
    assert_ne!(lines[1]["sha256"], lines[0]["sha256"]);
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_printed() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("b"), "abc").unwrap();
    let ours = hash(folder.path(), &["a".as_ref(), "b".as_ref(), "c".as_ref()]);
    assert_eq!(ours.status.code(), Some(1));
    let wanted = "900150983cd24fb0d6963f7d28e17f72  \
         ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
    assert_eq!(text(&ours.stdout), wanted);
    assert_eq!(
        text(&ours.stderr),
        "error: `a` cannot be read: no such file or directory\n\
         error: `c` cannot be read: no such file or directory\n"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a"), "abc").unwrap();
    let ours = Command::new(env!("CARGO_BIN_EXE_headwater"))
        .current_dir(folder.path())
        .args(["hash", "a"])
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(ours.status.code(), Some(1));
    assert!(text(&ours.stderr).starts_with("error: "), "{ours:?}");
    assert!(text(&ours.stderr).contains("space"), "{ours:?}");
}
