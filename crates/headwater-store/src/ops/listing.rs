//! Lists of nodes: pages of what a scope or a filter selects.

use headwater_proto::ml_metadata::ListOperationOptions;

use crate::backend::Statement;
use crate::error::Result;
use crate::filter::{Filter, Language};
use crate::kinds::{Node, NodeType};
use crate::limits::{MESSAGE_BYTES_MAX, PAGE_BYTES_MAX, PAGE_NODES_MAX, READ_CHUNK};
use crate::ops::drafts::{Draft as _, Sink};
use crate::ops::nodes::complete;
use crate::ops::page::Page;
use crate::ops::selection::{Scope, Selection};
use crate::ops::types;
use crate::rows;
use crate::store::{Session, check_size};

/// A page of nodes and the token of the next one.
#[derive(Debug)]
pub(crate) struct Listed<S> {
    pub(crate) nodes: S,
    pub(crate) next_page_token: Option<String>,
}

/// Lists nodes. Without options: all of them.
pub(crate) fn list<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    options: Option<&ListOperationOptions>,
    scope: Scope,
) -> Result<Listed<S>> {
    let Some(options) = options else {
        return list_page(session, Page::everything(), &scope.into());
    };
    let read = || {
        let filter = match options.filter_query() {
            "" => None,
            text => Some(Filter::parse(text, N::KIND.noun, Language::Contract)?),
        };
        Ok((Page::parse(options)?, filter))
    };
    match read() {
        Ok((page, None)) => list_page(session, page, &scope.into()),
        Ok((page, Some(filter))) => {
            let selection = Selection::filtered::<N>(session, scope, filter)?;
            list_page(session, page, &selection)
        }
        // MLMD looks at the options only after it has found something to list.
        Err(_) if !matches!(scope, Scope::All) && is_empty::<N>(session, scope)? => {
            Ok(Listed { nodes: S::default(), next_page_token: None })
        }
        Err(error) => Err(error),
    }
}

/// Lists the nodes of a type by its name. With options the token is always there, and empty on
/// the last page; a type without nodes has none, as an unknown type has.
pub(crate) fn list_by_type<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    type_name: &str,
    type_version: &str,
    options: Option<&ListOperationOptions>,
) -> Result<Listed<S>> {
    let Some(found) = types::find::<N::Type>(session, type_name, type_version)? else {
        return Ok(Listed { nodes: S::default(), next_page_token: None });
    };
    let scope = Scope::OfType(found.id());
    let mut listed = list::<N, S>(session, options, scope)?;
    if options.is_some() && (!listed.nodes.is_empty() || !is_empty::<N>(session, scope)?) {
        listed.next_page_token.get_or_insert_default();
    }
    Ok(listed)
}

fn is_empty<N: Node>(session: &mut Session<'_>, scope: Scope) -> Result<bool> {
    Ok(Selection::from(scope).ids::<N>(session, Some(1))?.is_empty())
}

/// Reads a page, a chunk at a time. One that would not fit into an answer ends early, with a token
/// for the rest; everything, asked for without options, has no token and is refused instead.
pub(crate) fn list_page<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    mut page: Page,
    selection: &Selection,
) -> Result<Listed<S>> {
    let mut nodes = S::default();
    let mut left = page.size;
    let mut bytes = 0;
    let mut more = !selection.is_known_empty();
    while more && left > 0 {
        // Where the database has to sort for each statement, one reads the whole page.
        let most = if page.is_in_index_order(selection) { READ_CHUNK } else { PAGE_NODES_MAX };
        let want = left.min(most);
        let statement = page.statement::<N>(selection, want + 1, session.dialect())?;
        let mut heads: Vec<N> = selection.checked(heads_that_fit(session, &statement))?;
        more = heads.len() > want;
        heads.truncate(want);
        left -= heads.len();
        if !fill(session, heads, &mut nodes, &mut bytes, |_, node| page.advance(node))? {
            if page.is_everything() {
                check_size("answer", MESSAGE_BYTES_MAX + 1)?;
            }
            more = true;
            break;
        }
    }
    Ok(Listed { nodes, next_page_token: page.token().filter(|_| more) })
}

/// Completes nodes and puts them into an answer, as many as fit; answers whether all did.
pub(crate) fn fill<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    heads: Vec<N>,
    nodes: &mut S,
    bytes: &mut usize,
    mut on_node: impl FnMut(usize, &N),
) -> Result<bool> {
    let mut heads = heads.into_iter().enumerate().peekable();
    while heads.peek().is_some() {
        let chunk = heads.by_ref().take(READ_CHUNK);
        let (positions, mut chunk): (Vec<usize>, Vec<S::Draft>) =
            chunk.map(|(position, head)| (position, S::Draft::of(head))).unzip();
        complete(session, &mut chunk)?;
        for (position, node) in positions.into_iter().zip(chunk) {
            *bytes += node.encoded_len();
            if *bytes > PAGE_BYTES_MAX && !nodes.is_empty() {
                return Ok(false);
            }
            on_node(position, node.head());
            nodes.push(node);
        }
    }
    Ok(true)
}

/// The first nodes of a list without their type name and properties: as many as a page can hold,
/// and the one after them, at which the page ends.
fn heads_that_fit<N: Node>(session: &mut Session<'_>, statement: &Statement<'_>) -> Result<Vec<N>> {
    let mut heads = Vec::new();
    let mut bytes = 0;
    session.query_built(statement, &mut |row| {
        if bytes <= PAGE_BYTES_MAX || heads.len() < 2 {
            let node = rows::node::<N>(row)?;
            bytes += node.encoded_len();
            heads.push(node);
        }
        Ok(())
    })?;
    Ok(heads)
}
