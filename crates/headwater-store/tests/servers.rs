//! Databases that others reach, too: many stores on one, sessions that end, what MLMD left there.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use headwater_proto::ml_metadata::{
    Artifact, ArtifactType, GetArtifactTypesRequest, GetArtifactsByIdRequest,
    GetArtifactsByTypeRequest, GetArtifactsByUriRequest, PropertyType, PutArtifactTypeRequest,
    PutArtifactsRequest,
};
use headwater_store::{ErrorKind, Store, StoreUrl};

use crate::conformance::{Database, properties, text};
use crate::places::Place;

const SHARED: [Database; 3] = [Database::SqliteFile, Database::Postgres, Database::MySql];
const SERVERS: [Database; 2] = [Database::Postgres, Database::MySql];

fn places(databases: &[Database]) -> impl Iterator<Item = Place> {
    databases.iter().filter_map(|database| Place::new(*database))
}

fn put_type(store: &Store, name: &str) -> i64 {
    let artifact_type = ArtifactType {
        name: Some(name.to_owned()),
        properties: [("p".to_owned(), PropertyType::Int as i32)].into(),
        ..ArtifactType::default()
    };
    let request =
        PutArtifactTypeRequest { artifact_type: Some(artifact_type), ..Default::default() };
    store.call(&request).unwrap().type_id()
}

fn put_artifact(store: &Store, type_id: i64, uri: &str) -> i64 {
    let artifact =
        Artifact { type_id: Some(type_id), uri: Some(uri.to_owned()), ..Artifact::default() };
    let request = PutArtifactsRequest { artifacts: vec![artifact], ..Default::default() };
    store.call(&request).unwrap().artifact_ids[0]
}

fn names(store: &Store) -> Vec<String> {
    let types = store.call(&GetArtifactTypesRequest::default()).unwrap().artifact_types;
    types.into_iter().filter_map(|of| of.name).collect()
}

#[test]
fn stores_that_open_at_once_on_an_empty_database_make_it_once() {
    for database in SHARED {
        for _ in 0..3 {
            let Some(place) = Place::new(database) else { break };
            let start = Barrier::new(10);
            let ids: Vec<i64> = thread::scope(|scope| {
                let open = || {
                    scope.spawn(|| {
                        start.wait();
                        put_type(&Store::open(&place.url_with("?connections=2")).unwrap(), "A")
                    })
                };
                let opening: Vec<_> = (0..10).map(|_| open()).collect();
                opening.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{database:?} {ids:?}");
            assert_eq!(names(&Store::open(&place.url()).unwrap()), ["A"]);
        }
    }
}

#[test]
fn what_is_asked_together_is_taken_in_order() {
    for place in places(&SERVERS) {
        let store = Store::open(&place.url()).unwrap();
        let type_id = put_type(&store, "A");
        let with_property = Artifact {
            type_id: Some(type_id),
            custom_properties: properties([("p", text("x"))]),
            ..Artifact::default()
        };
        let request = PutArtifactsRequest { artifacts: vec![with_property], ..Default::default() };
        let artifact_ids = store.call(&request).unwrap().artifact_ids;
        let by_id = GetArtifactsByIdRequest { artifact_ids, ..Default::default() };
        // A property that came before its artifact would belong to nobody.
        let read = || {
            for _ in 0..1000 {
                let read = store.call(&by_id).unwrap().artifacts;
                assert_eq!(read[0].custom_properties.len(), 1);
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(read))));
    }
}

#[test]
fn a_statement_that_the_server_has_forgotten_is_sent_again() {
    let Some(place) = Place::new(Database::Postgres) else { return };
    let store = Store::open(&place.url()).unwrap();
    let type_id = put_type(&store, "A");
    put_artifact(&store, type_id, "u");
    let by_uri = GetArtifactsByUriRequest { uris: vec!["u".to_owned()], ..Default::default() };
    let count = || store.call(&by_uri).unwrap().artifacts.len();
    assert_eq!((count(), count()), (1, 1));
    // A statement that was prepared before answers with another type from now on, and is refused.
    place.run("ALTER TABLE Artifact ALTER COLUMN uri TYPE VARCHAR(5000)");
    assert_eq!(count(), 1);
    put_artifact(&store, type_id, "u");
    assert_eq!((count(), count()), (2, 2));
}

#[test]
fn types_that_were_made_twice_become_one_and_every_id_goes_on() {
    for place in places(&SHARED) {
        let store = Store::open(&place.url()).unwrap();
        let first = put_type(&store, "A");
        let named = |type_id, name: &str| Artifact {
            type_id: Some(type_id),
            name: Some(name.to_owned()),
            ..Artifact::default()
        };
        drop(store);
        // As two clients of MLMD do that make a type at the same time.
        let double = first + 1;
        place.run(&format!("INSERT INTO Type (id, name, type_kind) VALUES ({double}, 'A', 1)"));
        place.run(&format!(
            "INSERT INTO TypeProperty (type_id, name, data_type) VALUES ({double}, 'p', 1)"
        ));
        for (id, type_id, name) in
            [(1, first, "'both'"), (2, double, "'both'"), (3, double, "'own'"), (4, double, "NULL")]
        {
            place.run(&format!(
                "INSERT INTO Artifact (id, type_id, name) VALUES ({id}, {type_id}, {name})"
            ));
        }
        if let Some(sequence) = place.sequence() {
            place.run(&sequence);
        }
        let store = Store::open(&place.url()).unwrap();
        assert_eq!(names(&store), ["A"]);
        assert_eq!(put_type(&store, "A"), first);
        let of_type =
            GetArtifactsByTypeRequest { type_name: Some("A".into()), ..Default::default() };
        let listed = store.call(&of_type).unwrap().artifacts;
        let ids: Vec<i64> = listed.iter().map(Artifact::id).collect();
        assert_eq!(ids, [1, 3, 4], "the second `both` keeps its type, and its id");
        // Whoever holds the id of the double goes on with it.
        let request = |artifacts| PutArtifactsRequest { artifacts, ..Default::default() };
        store.call(&request(vec![named(double, "new")])).unwrap();
        let change = Artifact { id: Some(3), ..named(double, "own") };
        store.call(&request(vec![change])).unwrap();
        assert_eq!(store.call(&of_type).unwrap().artifacts.len(), 4);
        let clash = store.call(&request(vec![named(double, "new")])).expect_err("there is one");
        assert_eq!(clash.kind(), ErrorKind::AlreadyExists);
    }
}

#[test]
fn sessions_that_are_ended_cost_readers_nothing_and_writers_a_moment() {
    for place in places(&SERVERS) {
        let store = Store::open(&place.url()).unwrap();
        let type_id = put_type(&store, "A");
        put_artifact(&store, type_id, "first");
        let until = Instant::now() + Duration::from_secs(2);
        let read = || {
            let request =
                GetArtifactsByUriRequest { uris: vec!["first".into()], ..Default::default() };
            let mut n = 0;
            while Instant::now() < until {
                assert_eq!(store.call(&request).unwrap().artifacts.len(), 1);
                n += 1;
            }
            n
        };
        let write = || {
            let artifact = Artifact {
                type_id: Some(type_id),
                uri: Some("load".into()),
                ..Artifact::default()
            };
            let request = PutArtifactsRequest { artifacts: vec![artifact], ..Default::default() };
            let (mut done, mut in_doubt) = (0, 0);
            while Instant::now() < until {
                match store.call(&request) {
                    Ok(_) => done += 1,
                    // Only what was being committed at that moment.
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                        assert!(error.message().contains("committed"), "{error}");
                        in_doubt += 1;
                    }
                }
            }
            (done, in_doubt)
        };
        let (reads, writes, in_doubt) = thread::scope(|scope| {
            let readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
            let writers: Vec<_> = (0..3).map(|_| scope.spawn(write)).collect();
            while Instant::now() < until {
                thread::sleep(Duration::from_millis(300));
                place.end_sessions();
            }
            let reads: usize = readers.into_iter().map(|one| one.join().unwrap()).sum();
            let writes = writers.into_iter().map(|one| one.join().unwrap());
            let (done, doubt) = writes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
            (reads, done, doubt)
        });
        assert!(reads > 20 && writes > 20, "{reads} {writes}");
        let request = GetArtifactsByUriRequest { uris: vec!["load".into()], ..Default::default() };
        let kept = store.call(&request).unwrap().artifacts.len();
        assert!((writes..=writes + in_doubt).contains(&kept), "{writes} + {in_doubt}: {kept}");
    }
}

#[test]
fn what_is_wrong_with_a_server_is_said_and_the_password_is_not() {
    for (scheme, server) in [
        ("postgres", std::env::var("HEADWATER_TEST_POSTGRES")),
        ("mysql", std::env::var("HEADWATER_TEST_MYSQL")),
    ] {
        let Ok(server) = server else { continue };
        let host = server.rsplit_once('@').unwrap().1;
        let cases = [
            (format!("{scheme}://u:secret@127.0.0.1:1/db"), ErrorKind::Unavailable, "refused"),
            (format!("{scheme}://u:secret@no.invalid/db"), ErrorKind::Unavailable, "no.invalid"),
            (
                format!("{server}/hw_no_such_db?skip_db_creation=true"),
                ErrorKind::NotFound,
                "hw_no_such_db",
            ),
            (
                format!("{scheme}://u:secret@{host}/db?sslmode=verify-full&sslrootcert=/no/file"),
                ErrorKind::FailedPrecondition,
                "",
            ),
        ];
        for (url, kind, shown) in cases {
            let url: StoreUrl = url.parse().unwrap();
            let error = Store::open(&url).expect_err("no server");
            let text = format!("{error} {error:?} {url} {url:?}");
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.message().contains(shown) && !error.message().is_empty(), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn a_database_that_is_not_mlmds_is_refused_and_left_alone() {
    for place in places(&SHARED) {
        place.load("CREATE TABLE Artifact (id INT, colour INT)");
        place.run("INSERT INTO Artifact (id, colour) VALUES (1, 2)");
        let error = Store::open(&place.url()).expect_err("not a store");
        assert!(
            [ErrorKind::Aborted, ErrorKind::FailedPrecondition].contains(&error.kind()),
            "{error}"
        );
        assert!(error.message().contains("only some of MLMD's tables"), "{error}");
        place.run("INSERT INTO Artifact (id, colour) VALUES (3, 4)");
    }
    for place in places(&SHARED) {
        place.load("CREATE TABLE somebody_elses (id INT)");
        let store = Store::open(&place.url()).unwrap();
        put_type(&store, "A");
        place.run("INSERT INTO somebody_elses (id) VALUES (1)");
    }
}
