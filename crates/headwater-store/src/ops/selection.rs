//! The nodes that a list is made of: those of a scope that match a filter.

use std::sync::Arc;

use crate::backend::Value;
use crate::error::{ErrorKind, Result};
use crate::filter::{Filter, Language};
use crate::kinds::Node;
use crate::limits::FILTER_CANDIDATES_MAX;
use crate::ops::{lineage, nodes};
use crate::rows;
use crate::sql::build::Builder;
use crate::store::Session;

/// Where the nodes of a list come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    All,
    /// The nodes of one type.
    OfType(i64),
    /// The members of one context.
    InContext(i64),
}

/// The nodes of a scope that match a filter, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) scope: Scope,
    filter: Option<Arc<Filter>>,
    /// What each trace of the filter finds.
    traced: Arc<[Vec<i64>]>,
    /// Ids among which all matches are, where they are few.
    pub(crate) among: Option<Vec<i64>>,
}

impl From<Scope> for Selection {
    fn from(scope: Scope) -> Self {
        Self { scope, filter: None, traced: Arc::default(), among: None }
    }
}

impl Selection {
    /// The nodes that match a filter of `headwater.v1`, or all nodes if it is empty.
    pub(crate) fn parse<N: Node>(session: &mut Session<'_>, filter: &str) -> Result<Self> {
        if filter.is_empty() {
            return Ok(Scope::All.into());
        }
        let filter = Filter::parse(filter, N::KIND.noun, Language::Graph)?;
        Self::filtered::<N>(session, Scope::All, filter)
    }

    /// The nodes of a scope that match a filter.
    pub(crate) fn filtered<N: Node>(
        session: &mut Session<'_>,
        scope: Scope,
        filter: Filter,
    ) -> Result<Self> {
        let selection = Self::matching::<N>(session, scope, filter)?;
        let among = match &selection.filter {
            Some(filter) => candidates::<N>(session, filter, &selection.traced)?,
            None => None,
        };
        Ok(Self { among, ..selection })
    }

    /// The same, for asking about nodes that are known: candidates are not looked for.
    pub(crate) fn matching<N: Node>(
        session: &mut Session<'_>,
        scope: Scope,
        filter: Filter,
    ) -> Result<Self> {
        let mut traced = Vec::with_capacity(filter.traces.len());
        for trace in &filter.traces {
            traced.push(lineage::reached::<N>(session, trace)?);
        }
        Ok(Self { scope, filter: Some(Arc::new(filter)), traced: traced.into(), among: None })
    }

    /// Those of these ids.
    pub(crate) fn only(&self, ids: Vec<i64>) -> Self {
        let (filter, traced) = (self.filter.clone(), Arc::clone(&self.traced));
        Self { scope: self.scope, filter, traced, among: Some(ids) }
    }

    /// Appends the condition.
    ///
    /// `has_bound` says that a bound for the ids follows: SQLite goes from the first that it finds.
    pub(crate) fn write<'v, N: Node>(
        &'v self,
        built: &mut Builder<'v>,
        has_bound: bool,
    ) -> Result<()> {
        match self.scope {
            Scope::All if has_bound || self.among.is_some() => built.sql("TRUE"),
            Scope::All => built.sql("id > 0"),
            Scope::OfType(id) => built.sql("type_id = ?").value(id.into()),
            Scope::InContext(id) => built.sql(N::KIND.queries.in_context).value(id.into()),
        };
        if let Some(ids) = &self.among {
            built.sql(" AND id").is_in(Value::from(&ids[..]));
        }
        match &self.filter {
            Some(filter) => filter.write(built, &self.traced),
            None => Ok(()),
        }
    }

    /// The ids of the nodes, ascending, of which there may be a `limit`.
    pub(crate) fn ids<N: Node>(
        &self,
        session: &mut Session<'_>,
        limit: Option<usize>,
    ) -> Result<Vec<i64>> {
        let queries = N::KIND.queries;
        let mut ids = Vec::new();
        if self.is_known_empty() {
            return Ok(ids);
        }
        let mut built = Builder::new(queries.match_ids, session.dialect());
        built.sql("SELECT id FROM ").sql(queries.table).sql(" WHERE ");
        self.write::<N>(&mut built, false)?;
        built.sql(" ORDER BY id LIMIT ?");
        let limit = limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
        built.value(Value::Int(limit));
        let found = session.query_built(&built.build(), &mut |row| {
            ids.push(rows::int(row, 0)?);
            Ok(())
        });
        self.checked(found)?;
        Ok(ids)
    }

    /// The result of a statement that has the condition in it.
    pub(crate) fn checked<T>(&self, result: Result<T>) -> Result<T> {
        if self.filter.is_some() { computed(result) } else { result }
    }

    /// Whether each statement has long lists of ids to go through first.
    pub(crate) fn has_lists(&self) -> bool {
        self.among.is_some() || !self.traced.is_empty()
    }

    /// Whether nothing has to be read to know that no node matches.
    pub(crate) fn is_known_empty(&self) -> bool {
        self.among.as_ref().is_some_and(Vec::is_empty)
    }
}

/// What a filter or an order computes may have no value for some node, such as the absolute value
/// of the smallest integer. That is the caller's mistake.
pub(crate) fn computed<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::OutOfRange => error
            .reworded(
                ErrorKind::InvalidArgument,
                "the filter or the order cannot be computed for a node",
            )
            .hint("an integer may be out of range, or a pattern too long"),
        _ => error,
    })
}

/// Ids among which every match of a filter is, if an index leads to few.
fn candidates<N: Node>(
    session: &mut Session<'_>,
    filter: &Filter,
    traced: &[Vec<i64>],
) -> Result<Option<Vec<i64>>> {
    if let Some(ids) = filter.traced_candidates().and_then(|at| traced.get(at))
        && ids.len() <= FILTER_CANDIDATES_MAX
    {
        return Ok(Some(ids.clone()));
    }
    let queries = N::KIND.queries;
    let dialect = session.dialect();
    let counting = filter.count_candidates(queries.count_candidates, dialect)?;
    let Some((count, n_ways)) = counting else { return Ok(None) };
    let mut counts = Vec::new();
    session.query_built(&count, &mut |row| {
        for way in 0..n_ways {
            counts.push((rows::int(row, way)?, way));
        }
        Ok(())
    })?;
    let most = i64::try_from(FILTER_CANDIDATES_MAX).unwrap_or(i64::MAX);
    let Some((_, way)) = counts.into_iter().min().filter(|(fewest, _)| *fewest <= most) else {
        return Ok(None);
    };
    let mut ids = Vec::new();
    let read = filter.read_candidates(queries.read_candidates, dialect, way)?;
    session.query_built(&read, &mut |row| {
        ids.push(rows::int(row, 0)?);
        Ok(())
    })?;
    Ok(Some(nodes::distinct(ids)))
}
