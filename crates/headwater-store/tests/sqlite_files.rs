//! What only a file has: another process, another program, damage, a disk that is full.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, thread};

use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, GetArtifactTypesRequest, GetArtifactsByContextRequest,
    GetArtifactsRequest, PutArtifactTypeRequest, PutArtifactsRequest, Value,
};
use headwater_store::{Caller, Error, ErrorKind, Method, Store, StoreUrl};
use prost::Message as _;

use crate::conformance::{artifact, properties, text};

fn open(path: &Path) -> Result<Store, Error> {
    Store::open(&StoreUrl::file(path))
}

fn refused(path: &Path, kind: ErrorKind) -> Error {
    let error = open(path).expect_err("must be refused");
    assert_eq!(error.kind(), kind, "{error}");
    error
}

fn put_type(store: &Store, name: &str) -> Result<i64, Error> {
    let artifact_type = ArtifactType { name: Some(name.to_owned()), ..ArtifactType::default() };
    let artifact_type = Some(artifact_type);
    store
        .call(&PutArtifactTypeRequest { artifact_type, ..Default::default() })
        .map(|put| put.type_id())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    /// A store that was made, used and closed, and then treated with SQL.
    fn treated(sql: &str) -> Self {
        let folder = Self::new();
        put_type(&open(&folder.path()).unwrap(), "A").unwrap();
        let connection = rusqlite::Connection::open(folder.path()).unwrap();
        connection.execute_batch(sql).unwrap();
        folder
    }
}

#[test]
fn what_was_acknowledged_is_there_when_opened_again() {
    let folder = Folder::new();
    let id = put_type(&open(&folder.path()).unwrap(), "A").unwrap();
    let store = open(&folder.path()).unwrap();
    assert_eq!(put_type(&store, "A").unwrap(), id);
}

#[test]
fn another_schema_version_is_refused_with_both_versions() {
    for (version, words) in [(9, "headwater migrate"), (11, "newer release")] {
        let folder = Folder::treated(&format!("UPDATE MLMDEnv SET schema_version = {version}"));
        let error = refused(&folder.path(), ErrorKind::FailedPrecondition).to_string();
        assert!(error.contains(&version.to_string()) && error.contains("10"), "{error}");
        assert!(error.contains(words), "{error}");
    }
    let folder = Folder::treated("DROP TABLE MLMDEnv; DROP TABLE Context");
    refused(&folder.path(), ErrorKind::FailedPrecondition);
}

#[test]
fn a_half_made_store_is_refused() {
    let error = refused(&Folder::treated("DROP TABLE Event").path(), ErrorKind::Aborted);
    assert!(error.message().contains("Event"), "{error}");
    refused(&Folder::treated("DELETE FROM MLMDEnv").path(), ErrorKind::Aborted);
    let twice = Folder::treated("INSERT INTO MLMDEnv VALUES (11)");
    refused(&twice.path(), ErrorKind::DataLoss);
}

#[test]
fn a_store_is_made_beside_the_tables_of_others() {
    let folder = Folder::new();
    let connection = rusqlite::Connection::open(folder.path()).unwrap();
    connection.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
    put_type(&open(&folder.path()).unwrap(), "A").unwrap();
    let left: i64 = connection.query_row("SELECT x FROM mine", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    fs::write(folder.path(), "a text, long enough to be read as a header").unwrap();
    refused(&folder.path(), ErrorKind::FailedPrecondition);
    let text = fs::read_to_string(folder.path()).unwrap();
    assert_eq!(text, "a text, long enough to be read as a header");
    refused(folder.0.path(), ErrorKind::FailedPrecondition);
    refused(&folder.0.path().join("no/such/folder.db"), ErrorKind::NotFound);
}

#[test]
fn a_damaged_file_is_data_loss() {
    let folder = Folder::new();
    put_type(&open(&folder.path()).unwrap(), "A").unwrap();
    let mut bytes = fs::read(folder.path()).unwrap();
    bytes[100..8192].fill(0xa5);
    fs::write(folder.path(), bytes).unwrap();
    refused(&folder.path(), ErrorKind::DataLoss);
}

#[test]
fn read_only_reads_and_refuses_to_write() {
    let folder = Folder::new();
    let url = StoreUrl::file(folder.path()).read_only();
    assert_eq!(Store::open(&url).expect_err("no file").kind(), ErrorKind::NotFound);
    put_type(&open(&folder.path()).unwrap(), "A").unwrap();
    let store = Store::open(&url).unwrap();
    let types = store.call(&GetArtifactTypesRequest::default()).unwrap().artifact_types;
    assert_eq!(types.len(), 1);
    let error = put_type(&store, "B").expect_err("read only");
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
}

#[test]
fn a_write_ahead_log_that_is_deleted_is_noticed() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    put_type(&store, "A").unwrap();
    let log = folder.0.path().join("store.db-wal");
    fs::rename(&log, folder.0.path().join("aside")).unwrap();
    let error = put_type(&store, "B").expect_err("into the void");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    fs::rename(folder.0.path().join("aside"), &log).unwrap();
    put_type(&store, "B").unwrap();
}

#[test]
fn a_file_that_is_deleted_or_replaced_is_noticed() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    put_type(&store, "A").unwrap();
    let aside = folder.0.path().join("aside.db");
    fs::rename(folder.path(), &aside).unwrap();
    let unavailable = |what: &str| {
        let error = put_type(&store, "B").expect_err("into the void");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains(what), "{error}");
        let error = store.call(&GetArtifactTypesRequest::default()).expect_err("from the void");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    };
    unavailable("deleted");
    fs::copy(&aside, folder.path()).unwrap();
    unavailable("replaced");
    fs::rename(&aside, folder.path()).unwrap();
    put_type(&store, "B").unwrap();
}

#[test]
fn a_value_lost_by_a_downgrade_reads_as_unset() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    let type_id = put_type(&store, "A").unwrap();
    let custom_properties = properties([("x", text("kept")), ("y", text("lost"))]);
    let artifacts = vec![Artifact { custom_properties, ..artifact(type_id) }];
    store.call(&PutArtifactsRequest { artifacts, ..Default::default() }).unwrap();
    let connection = rusqlite::Connection::open(folder.path()).unwrap();
    let lose = "UPDATE ArtifactProperty SET string_value = NULL WHERE name = 'y'";
    connection.execute_batch(lose).unwrap();
    let read = store.call(&GetArtifactsRequest::default()).unwrap().artifacts.remove(0);
    assert_eq!(read.custom_properties["x"], text("kept"));
    assert_eq!(read.custom_properties["y"], Value::default());
}

#[test]
fn members_of_a_context_that_do_not_exist_are_passed_over() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    let connection = rusqlite::Connection::open(folder.path()).unwrap();
    // MLMD writes such links when `PutExecution` has an empty pair and a context.
    let dangle = "INSERT INTO Attribution (context_id, artifact_id) VALUES (1, -1)";
    connection.execute_batch(dangle).unwrap();
    let members = GetArtifactsByContextRequest { context_id: Some(1), ..Default::default() };
    assert!(store.call(&members).unwrap().artifacts.is_empty());
}

#[test]
fn a_store_on_read_only_media_can_be_read() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(folder.0.path().join("disk %?#")) else { return };
    put_type(&open(&disk.0.join("a store.db")).unwrap(), "A").unwrap();
    let frozen = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().unwrap();
    assert!(frozen.success());
    let store = Store::open(&StoreUrl::file(disk.0.join("a store.db")).read_only()).unwrap();
    let types = store.call(&GetArtifactTypesRequest::default()).unwrap().artifact_types;
    assert_eq!(types.len(), 1);
    let error = put_type(&store, "B").expect_err("read only");
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    drop(store);
}

/// A disk of 2 MiB, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts the disk, which takes root. Elsewhere the test is passed over aloud, except where
    /// `HEADWATER_TEST_REQUIRED` is set.
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(&at)
            .status()
            .is_ok_and(|status| status.success());
        assert!(mounted || env::var_os("HEADWATER_TEST_REQUIRED").is_none(), "cannot mount");
        #[allow(clippy::print_stderr)]
        if !mounted {
            eprintln!("SKIPPED: a small disk cannot be mounted without root");
        }
        mounted.then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_answered_once_and_the_store_goes_on() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(folder.0.path().join("disk")) else { return };
    let store = open(&disk.0.join("store.db")).unwrap();
    let type_id = put_type(&store, "A").unwrap();
    let put = |bytes: usize| {
        let custom_properties = properties([("x", text(&"x".repeat(bytes)))]);
        let artifacts = vec![Artifact { custom_properties, ..artifact(type_id) }];
        store.call(&PutArtifactsRequest { artifacts, ..Default::default() })
    };
    put(10).unwrap();
    let error = put(4 << 20).expect_err("4 MiB on a disk of 2");
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    put(10).unwrap();
    let listed = store.call(&GetArtifactsRequest::default()).unwrap().artifacts;
    assert_eq!(listed.len(), 2);
    drop(store);
}

/// Puts artifacts on many threads until each was refused with one of these kinds; the ids of those
/// that were acknowledged.
fn put_until_refused(store: &Store, type_id: i64, bytes: usize, kinds: &[ErrorKind]) -> Vec<i64> {
    let custom_properties = properties([("x", text(&"x".repeat(bytes)))]);
    let artifacts = vec![Artifact { custom_properties, ..artifact(type_id) }];
    let request = PutArtifactsRequest { artifacts, ..Default::default() };
    let until_refused = || {
        let mut ids = Vec::new();
        loop {
            match store.call(&request) {
                Ok(put) => ids.extend(put.artifact_ids),
                Err(error) if kinds.contains(&error.kind()) => return ids,
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(until_refused)).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn writers_that_share_a_commit_keep_what_was_acknowledged_on_a_full_disk() {
    let folder = Folder::new();
    let Some(disk) = SmallDisk::mount(folder.0.path().join("disk")) else { return };
    let store = open(&disk.0.join("store.db")).unwrap();
    let type_id = put_type(&store, "A").unwrap();
    let full = [ErrorKind::ResourceExhausted];
    let mut acknowledged = put_until_refused(&store, type_id, 20_000, &full);
    assert!(acknowledged.len() > 8, "{}", acknowledged.len());
    acknowledged.sort_unstable();
    for store in [store, open(&disk.0.join("store.db")).unwrap()] {
        let listed = store.call(&GetArtifactsRequest::default()).unwrap().artifacts;
        let listed: Vec<i64> = listed.iter().map(Artifact::id).collect();
        assert_eq!(listed, acknowledged);
    }
}

#[test]
fn writers_that_share_a_commit_fail_alone() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    let type_id = put_type(&store, "A").unwrap();
    let put = |name: String| {
        let artifacts = vec![Artifact { name: Some(name), ..artifact(type_id) }];
        store.call(&PutArtifactsRequest { artifacts, ..Default::default() })
    };
    // Each name is put by every thread, and made by one of them.
    let made: usize = thread::scope(|scope| {
        let count = || (0..50).filter(|n| put(format!("n{n}")).is_ok()).count();
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let listed = store.call(&GetArtifactsRequest::default()).unwrap().artifacts;
    assert_eq!((made, listed.len()), (50, 50));
}

#[test]
fn calls_that_are_run_together_fail_alone_and_are_durable_when_answered() {
    let folder = Folder::new();
    let store = open(&folder.path()).unwrap();
    let type_id = put_type(&store, "A").unwrap();
    let put = |name: &str| {
        let artifacts = vec![Artifact { name: Some(name.to_owned()), ..artifact(type_id) }];
        PutArtifactsRequest { artifacts, ..Default::default() }.encode_to_vec()
    };
    let requests = [put("a"), put("b"), put("a"), b"no request".to_vec(), put("c")];
    let mut together = store.together();
    for request in &requests {
        together.run(Method::PutArtifacts, request, &Caller::default());
    }
    together.run(Method::PutArtifacts, &requests[0], &Caller::gone_when(|| true));
    // Nothing is seen by others before it is durable.
    let listed = |store: &Store| {
        let artifacts = store.call(&GetArtifactsRequest::default()).unwrap().artifacts;
        artifacts.iter().map(|artifact| artifact.name().to_owned()).collect::<Vec<_>>()
    };
    assert!(listed(&store).is_empty());
    let kinds: Vec<_> = together
        .finish()
        .into_iter()
        .map(|answer| answer.err().map(|error| error.kind()))
        .collect();
    let (clash, bad) = (Some(ErrorKind::AlreadyExists), Some(ErrorKind::InvalidArgument));
    assert_eq!(kinds, [None, None, clash, bad, None, Some(ErrorKind::Aborted)]);
    assert_eq!(listed(&open(&folder.path()).unwrap()), ["a", "b", "c"]);
}
