//! Lists of `headwater.v1`: any filter, in the order of any value.

use headwater_proto::headwater::v1::PageToken;
use headwater_proto::ml_metadata::{Value as KeyValue, value};

use crate::backend::{Column, Row, Statement, Value};
use crate::error::{ErrorKind, Result, data_loss, invalid};
use crate::filter::Order;
use crate::kinds::Node;
use crate::limits::{PAGE_BYTES_MAX, PAGE_NODES_MAX, PAGE_SIZE_DEFAULT};
use crate::ops::drafts::Sink;
use crate::ops::listing::{Listed, fill, list_page};
use crate::ops::page::{Page, malformed_token, other_order, read_token, write_token};
use crate::ops::selection::{Selection, computed};
use crate::rows;
use crate::sql::Dialect;
use crate::sql::build::Builder;
use crate::store::Session;

/// Columns of a node in a list; the values that it is ordered by follow them.
const NODE_COLUMNS: usize = 8;

/// A page of the nodes that match a filter.
pub(crate) fn list<N: Node, S: Sink<N>>(
    session: &mut Session<'_>,
    filter: &str,
    order_by: &str,
    page_size: i32,
    page_token: &str,
) -> Result<Listed<S>> {
    let size = usize::try_from(if page_size == 0 { PAGE_SIZE_DEFAULT } else { page_size })
        .map_err(|_| invalid(format!("page_size is {page_size}, which is negative")))?;
    let order = match order_by {
        "" => None,
        text => Some(Order::parse(text, N::KIND.noun)?),
    };
    let by_attribute = order.as_ref().map_or(Some(("id", true)), Order::attribute);
    let page = by_attribute.and_then(|(name, ascending)| Page::first(size, name, ascending));
    match (page, &order) {
        (None, Some(order)) => {
            let after = read_place(page_token, order_by, order)?;
            let selection = Selection::parse::<N>(session, filter)?;
            let page = KeyPage { order, order_by, size: size.min(PAGE_NODES_MAX), after };
            page.list(session, &selection)
        }
        (page, _) => {
            let page = page.unwrap_or_else(Page::everything).following(page_token)?;
            let selection = Selection::parse::<N>(session, filter)?;
            list_page(session, page, &selection)
        }
    }
}

fn read_place(token: &str, order_by: &str, order: &Order) -> Result<Option<PageToken>> {
    if token.is_empty() {
        return Ok(None);
    }
    let place: PageToken = read_token(token)?;
    if place.order_by != order_by {
        return Err(other_order());
    }
    if place.keys.len() == order.keys.len() { Ok(Some(place)) } else { Err(malformed_token()) }
}

/// A page in the order of some values.
struct KeyPage<'p> {
    order: &'p Order,
    order_by: &'p str,
    size: usize,
    after: Option<PageToken>,
}

impl KeyPage<'_> {
    fn list<N: Node, S: Sink<N>>(
        &self,
        session: &mut Session<'_>,
        selection: &Selection,
    ) -> Result<Listed<S>> {
        let mut listed = Listed { nodes: S::default(), next_page_token: None };
        if selection.is_known_empty() {
            return Ok(listed);
        }
        let statement = self.statement::<N>(selection, session.dialect())?;
        let mut heads: Vec<N> = Vec::new();
        let mut keys = Vec::new();
        let mut bytes = 0;
        let mut n_rows = 0;
        let found = session.query_built(&statement, &mut |row| {
            n_rows += 1;
            if bytes <= PAGE_BYTES_MAX {
                let node: N = rows::node(row)?;
                bytes += node.encoded_len();
                heads.push(node);
                keys.push(self.keys(row)?);
            }
            Ok(())
        });
        computed(found).map_err(|error| match error.kind() {
            // A database that knows the types of values refuses one of another type.
            ErrorKind::FailedPrecondition if self.after.is_some() => malformed_token(),
            _ => error,
        })?;
        let mut more = n_rows > self.size.min(heads.len());
        heads.truncate(self.size);
        let mut last = None;
        let all = fill(session, heads, &mut listed.nodes, &mut 0, |at, node: &N| {
            last = Some((at, node.id().unwrap_or_default()));
        })?;
        more |= !all;
        if let Some((at, id)) = last.filter(|_| more) {
            let keys = keys.swap_remove(at);
            let order_by = self.order_by.to_owned();
            let place = PageToken { order_by, keys, id, ..PageToken::default() };
            listed.next_page_token = Some(write_token(&place));
        }
        Ok(listed)
    }

    fn keys(&self, row: &dyn Row) -> Result<Vec<KeyValue>> {
        let key = |at| {
            let value = match row.column(NODE_COLUMNS + at)? {
                Column::Null => None,
                Column::Int(value) => Some(value::Value::IntValue(value)),
                Column::Real(value) => Some(value::Value::DoubleValue(value)),
                Column::Text(value) => Some(value::Value::StringValue(value.to_owned())),
                Column::Blob(bytes) => {
                    let text = std::str::from_utf8(bytes).map_err(|e| {
                        data_loss("a text that a list is ordered by is not UTF-8").caused_by(e)
                    })?;
                    Some(value::Value::StringValue(text.to_owned()))
                }
            };
            Ok(KeyValue { value })
        };
        (0..self.order.keys.len()).map(key).collect()
    }

    fn statement<'v, N: Node>(
        &'v self,
        selection: &'v Selection,
        dialect: &'static Dialect,
    ) -> Result<Statement<'v>> {
        let queries = N::KIND.queries;
        let mut built = Builder::new(queries.list_by_keys, dialect);
        built.sql("SELECT * FROM (SELECT ").sql(queries.columns);
        self.order.write(&mut built)?;
        built.sql(" FROM ").sql(queries.table).sql(" WHERE ");
        selection.write::<N>(&mut built, false)?;
        built.sql(") AS s");
        if let Some(after) = &self.after {
            built.sql(" WHERE ");
            self.past(&mut built, after, 0);
        }
        built.sql(" ORDER BY ");
        for (at, key) in self.order.keys.iter().enumerate() {
            built.numbered("k# IS NULL, k#", at);
            built.sql(if key.ascending { ", " } else { " DESC, " });
        }
        built.sql(if self.ids_ascend() { "id" } else { "id DESC" }).sql(" LIMIT ?");
        built.value(Value::Int(i64::try_from(self.size + 1).unwrap_or(i64::MAX)));
        Ok(built.build())
    }

    /// Between equals the id goes the way that the first value goes.
    fn ids_ascend(&self) -> bool {
        self.order.keys.first().is_none_or(|key| key.ascending)
    }

    /// Appends the condition of what comes after a place, from one of its values on.
    fn past<'v>(&self, built: &mut Builder<'v>, after: &'v PageToken, at: usize) {
        let Some(key) = self.order.keys.get(at) else {
            built.sql(if self.ids_ascend() { "id > ?" } else { "id < ?" }).value(after.id.into());
            return;
        };
        let value = match after.keys[at].value.as_ref() {
            Some(value::Value::IntValue(value)) => Value::Int(*value),
            Some(value::Value::DoubleValue(value)) => Value::Real(*value),
            Some(value::Value::StringValue(value)) => value.as_str().into(),
            _ => {
                // What has no value comes last.
                built.numbered("(k# IS NULL AND ", at);
                self.past(built, after, at + 1);
                built.sql(")");
                return;
            }
        };
        built.numbered(if key.ascending { "(k# > ?" } else { "(k# < ?" }, at).value(value.clone());
        built.numbered(" OR k# IS NULL OR (k# = ? AND ", at).value(value);
        self.past(built, after, at + 1);
        built.sql("))");
    }
}
