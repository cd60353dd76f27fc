//! Everything that a store has: page after page, or along its lineage as a stream.

use std::time::Instant;

use headwater_proto::headwater::v1::{
    Direction, ListArtifactsRequest, ListArtifactsResponse, TraceLineageRequest,
    TraceLineageResponse,
};
use headwater_store::Method;
use prost::Message as _;

use crate::caller::Caller;
use crate::{Failure, Times};

/// Lists all artifacts; a time for each page.
pub(crate) fn list(caller: &mut dyn Caller, page_size: i32) -> Result<Times, Failure> {
    let mut times = Times::default();
    let mut request = ListArtifactsRequest { page_size, ..Default::default() };
    loop {
        let began = Instant::now();
        let answer = caller.call(Method::ListArtifacts, &request.encode_to_vec())?;
        times.add(began.elapsed(), 1);
        let answer = ListArtifactsResponse::decode(&*answer)?;
        times.rows += answer.artifacts.len();
        match answer.next_page_token {
            Some(token) => request.page_token = token,
            None => return Ok(times),
        }
    }
}

/// Traces what came of the artifacts that a filter finds; one time for the whole stream.
pub(crate) fn trace(caller: &mut dyn Caller, start: &str, hops: i32) -> Result<Times, Failure> {
    let mut times = Times::default();
    let request = TraceLineageRequest {
        start_artifacts: vec![start.to_owned()],
        direction: Direction::Downstream.into(),
        hops_max: Some(hops),
        ..Default::default()
    };
    let began = Instant::now();
    caller.stream(Method::TraceLineage, &request.encode_to_vec(), &mut |message| {
        times.rows += TraceLineageResponse::decode(message)?.nodes.len();
        Ok(())
    })?;
    times.add(began.elapsed(), 1);
    Ok(times)
}
