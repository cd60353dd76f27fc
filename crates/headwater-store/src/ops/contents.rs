//! Contents: bytes that are kept as they are, under their digests.

use headwater_proto::headwater::v1::{
    GetContentRequest, GetContentResponse, ListContentsRequest, ListContentsResponse,
    PutContentsRequest, PutContentsResponse,
};

use crate::backend::{Column, Value};
use crate::digest::sha256;
use crate::error::{Result, data_loss, not_found};
use crate::limits::CONTENT_CHUNK_BYTES;
use crate::rows;
use crate::sql::queries::{
    CONTENT_CHUNK_INSERT, CONTENT_CHUNK_SELECT, CONTENT_INSERT, CONTENT_SELECT,
};
use crate::store::Session;

/// Keeps bytes. Equal ones are there once, whoever comes first.
pub(crate) fn put(
    session: &mut Session<'_>,
    request: &PutContentsRequest,
) -> Result<PutContentsResponse> {
    let digests: Vec<String> = request.contents.iter().map(|content| sha256(content)).collect();
    let known = sizes(session, &digests)?;
    let mut done: Vec<&str> = known.iter().map(|(digest, _)| digest.as_str()).collect();
    for (digest, content) in digests.iter().zip(&request.contents) {
        if done.contains(&digest.as_str()) {
            continue;
        }
        done.push(digest);
        for (chunk, number) in content.chunks(CONTENT_CHUNK_BYTES).zip(1_i64..) {
            let values = vec![digest.as_str().into(), number.into(), Value::Blob(chunk.into())];
            session.insert(&CONTENT_CHUNK_INSERT, values)?;
        }
        let size_bytes = content.len() as i64;
        session.insert(&CONTENT_INSERT, vec![digest.as_str().into(), size_bytes.into()])?;
    }
    Ok(PutContentsResponse { digests })
}

/// Reads bytes that were kept.
pub(crate) fn get(
    session: &mut Session<'_>,
    request: &GetContentRequest,
) -> Result<GetContentResponse> {
    let digest = &request.digest;
    let found = sizes(session, std::slice::from_ref(digest))?;
    let Some((_, size_bytes)) = found.first() else {
        return Err(not_found(format!("there is no content with the digest `{digest}`")));
    };
    let mut content = Vec::with_capacity(usize::try_from(*size_bytes).unwrap_or_default());
    session.query(CONTENT_CHUNK_SELECT, vec![digest.as_str().into()], &mut |row| {
        match row.column(0)? {
            Column::Blob(bytes) => content.extend_from_slice(bytes),
            other => return Err(data_loss(format!("a column of contents holds {other:?}"))),
        }
        Ok(())
    })?;
    if sha256(&content) != *digest {
        return Err(data_loss(format!("the content with the digest `{digest}` is damaged")));
    }
    Ok(GetContentResponse { content })
}

/// Says which of some contents are kept.
pub(crate) fn list(
    session: &mut Session<'_>,
    request: &ListContentsRequest,
) -> Result<ListContentsResponse> {
    let (digests, sizes) = sizes(session, &request.digests)?.into_iter().unzip();
    Ok(ListContentsResponse { digests, sizes })
}

fn sizes(session: &mut Session<'_>, digests: &[String]) -> Result<Vec<(String, i64)>> {
    let mut found = Vec::new();
    if digests.is_empty() {
        return Ok(found);
    }
    session.query(CONTENT_SELECT, vec![Value::texts(digests)], &mut |row| {
        found.push((rows::opt_text(row, 0)?.unwrap_or_default(), rows::int(row, 1)?));
        Ok(())
    })?;
    Ok(found)
}
