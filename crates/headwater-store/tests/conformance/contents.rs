//! Contents: bytes read back as they were put, and equal ones are there once.

use std::sync::Arc;
use std::thread;

use headwater_proto::headwater::v1::{GetContentRequest, ListContentsRequest, PutContentsRequest};
use headwater_store::ErrorKind::{InvalidArgument, NotFound};
use headwater_store::limits::{CONTENT_BYTES_MAX, CONTENT_CHUNK_BYTES, CONTENTS_LISTED_MAX};

use super::{Fresh, Random, behaviours};

behaviours! {
    contents_read_back_byte_for_byte
    equal_contents_are_kept_once
    several_may_put_the_same_at_the_same_time
    what_is_no_content_is_refused
}

fn put(fresh: &Fresh, contents: Vec<Vec<u8>>) -> Vec<String> {
    fresh.call(PutContentsRequest { contents }).digests
}

fn get(fresh: &Fresh, digest: &str) -> Vec<u8> {
    fresh.call(GetContentRequest { digest: digest.to_owned() }).content
}

fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.below(256) as u8).collect()
}

fn contents_read_back_byte_for_byte(fresh: &Fresh) {
    let lengths = [0, 1, CONTENT_CHUNK_BYTES, CONTENT_CHUNK_BYTES + 1, 3 * CONTENT_CHUNK_BYTES + 7];
    let contents: Vec<Vec<u8>> =
        lengths.into_iter().zip(1..).map(|(length, seed)| random_bytes(seed, length)).collect();
    let digests = put(fresh, contents.clone());
    let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digests[0], empty);
    for (digest, content) in digests.iter().zip(&contents) {
        assert!(get(fresh, digest) == *content, "{} bytes", content.len());
    }
    let unknown = format!("sha256:{}", "0".repeat(64));
    let asked = vec![digests[1].clone(), unknown, digests[4].clone(), digests[1].clone()];
    let listed = fresh.call(ListContentsRequest { digests: asked });
    let found: Vec<(String, i64)> = listed.digests.into_iter().zip(listed.sizes).collect();
    let mut expected: Vec<(String, i64)> =
        [1, 4].map(|at| (digests[at].clone(), contents[at].len() as i64)).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    assert!(put(fresh, Vec::new()).is_empty());
}

fn equal_contents_are_kept_once(fresh: &Fresh) {
    let digests = put(fresh, vec![b"same".to_vec(), b"other".to_vec(), b"same".to_vec()]);
    assert_eq!(digests[0], digests[2]);
    let written = fresh.last_statements();
    let inserts = written.iter().filter(|name| name.starts_with("content_insert")).count();
    assert_eq!(inserts, 2, "{written:?}");
    assert_eq!(put(fresh, vec![b"other".to_vec()]), digests[1..2]);
    assert_eq!(fresh.last_statements(), ["content_select_by_digest"]);
}

fn several_may_put_the_same_at_the_same_time(fresh: &Fresh) {
    let contents: Vec<Vec<u8>> = (1..6).map(|seed| random_bytes(seed, 5000)).collect();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&fresh.store);
            let request = PutContentsRequest { contents: contents.clone() };
            thread::spawn(move || store.call(&request).unwrap().digests)
        })
        .collect();
    let answers: Vec<Vec<String>> = threads.into_iter().map(|of| of.join().unwrap()).collect();
    for (digest, content) in answers[0].iter().zip(&contents) {
        assert!(get(fresh, digest) == *content);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

fn what_is_no_content_is_refused(fresh: &Fresh) {
    for digest in ["", "sha256:", "no digest", "\0"] {
        fresh.refused(NotFound, GetContentRequest { digest: digest.to_owned() });
    }
    let large = vec![0; CONTENT_BYTES_MAX / 2 + 1];
    let contents = vec![large.clone(), large];
    fresh.refused(InvalidArgument, PutContentsRequest { contents });
    let contents = vec![Vec::new(); CONTENTS_LISTED_MAX + 1];
    fresh.refused(InvalidArgument, PutContentsRequest { contents });
    let digests = vec![String::new(); CONTENTS_LISTED_MAX + 1];
    fresh.refused(InvalidArgument, ListContentsRequest { digests });
}
