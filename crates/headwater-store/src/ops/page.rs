//! Pages of a list: what is asked for, in which order, and where the last page ended.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use headwater_proto::ml_metadata::list_operation_options::OrderByField;
use headwater_proto::ml_metadata::list_operation_options::order_by_field::Field;
use headwater_proto::ml_metadata::{ListOperationNextPageToken, ListOperationOptions};
use prost::Message;

use crate::backend::{Statement, Value};
use crate::error::{Error, Result, invalid};
use crate::kinds::Node;
use crate::limits::PAGE_SIZE_DEFAULT;
use crate::ops::selection::{Scope, Selection};
use crate::sql::Dialect;
use crate::sql::build::Builder;

/// Tokens travel in URLs; padding may get lost on the way.
const TOKEN: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a list may be ordered by. The id comes second, so that the order is total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OrderBy {
    Id,
    CreateTime,
    UpdateTime,
}

/// A place between two nodes of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    field: i64,
    id: i64,
}

/// A page that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) size: usize,
    order_by: OrderBy,
    ascending: bool,
    after: Option<Position>,
}

impl Page {
    /// The first page in the order of one of the indexed fields, by its name, or of the id.
    pub(crate) fn first(size: usize, field: &str, ascending: bool) -> Option<Self> {
        let order_by = match field {
            "id" => OrderBy::Id,
            "create_time_since_epoch" => OrderBy::CreateTime,
            "last_update_time_since_epoch" => OrderBy::UpdateTime,
            _ => return None,
        };
        Some(Self { size, order_by, ascending, after: None })
    }

    /// The page that follows the one whose token this is.
    pub(crate) fn following(mut self, token: &str) -> Result<Self> {
        if !token.is_empty() {
            self.after = Some(self.decode_token(token)?);
        }
        Ok(self)
    }

    /// All nodes, by id, for lists without options.
    pub(crate) fn everything() -> Self {
        Self { size: usize::MAX, order_by: OrderBy::Id, ascending: true, after: None }
    }

    /// Reads the options of a request. What they leave out has MLMD's defaults: 20 nodes, by id,
    /// ascending.
    pub(crate) fn parse(options: &ListOperationOptions) -> Result<Self> {
        let size = options.max_result_size.unwrap_or(PAGE_SIZE_DEFAULT);
        let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or_else(|| {
            invalid(format!("max_result_size is {size}, but a page has at least 1 node"))
        })?;
        let order = options.order_by_field.unwrap_or_default();
        let page = Self {
            size,
            order_by: match order.field.map(Field::try_from) {
                None | Some(Ok(Field::Id)) => OrderBy::Id,
                Some(Ok(Field::CreateTime)) => OrderBy::CreateTime,
                Some(Ok(Field::LastUpdateTime)) => OrderBy::UpdateTime,
                Some(Ok(Field::Unspecified) | Err(_)) => {
                    return Err(invalid("order_by_field names no field")
                        .hint("use CREATE_TIME, LAST_UPDATE_TIME or ID"));
                }
            },
            ascending: order.is_asc(),
            after: None,
        };
        page.following(options.next_page_token())
    }

    /// Whether the request has no options, and so cannot go on where an answer ended.
    pub(crate) fn is_everything(&self) -> bool {
        self.size == usize::MAX
    }

    /// Whether an index has the nodes of the scope in the order of the page.
    pub(crate) fn is_in_index_order(&self, selection: &Selection) -> bool {
        if selection.has_lists() {
            return false;
        }
        match selection.scope {
            Scope::All => true,
            Scope::OfType(_) => self.order_by == OrderBy::Id,
            Scope::InContext(_) => false,
        }
    }

    fn decode_token(&self, token: &str) -> Result<Position> {
        let token: ListOperationNextPageToken = read_token(token)?;
        let (Some(id), Some(field)) = (token.id_offset, token.field_offset) else {
            return Err(malformed_token());
        };
        let given_for = token.set_options.and_then(|options| options.order_by_field);
        let given_for = given_for.unwrap_or_default();
        let own = self.order_by_field();
        if given_for.field() != own.field() || given_for.is_asc() != own.is_asc() {
            return Err(other_order());
        }
        Ok(Position { field, id })
    }

    fn order_by_field(&self) -> OrderByField {
        let field = match self.order_by {
            OrderBy::Id => Field::Id,
            OrderBy::CreateTime => Field::CreateTime,
            OrderBy::UpdateTime => Field::LastUpdateTime,
        };
        OrderByField { field: Some(field as i32), is_asc: Some(self.ascending) }
    }

    fn position<N: Node>(&self, node: &N) -> Position {
        let id = node.id().unwrap_or_default();
        let field = match self.order_by {
            OrderBy::Id => id,
            OrderBy::CreateTime => node.create_time(),
            OrderBy::UpdateTime => node.update_time(),
        };
        Position { field, id }
    }

    /// A first page in each order, for the golden file.
    #[cfg(test)]
    pub(crate) fn every_order() -> Vec<Self> {
        let orders = [OrderBy::Id, OrderBy::CreateTime, OrderBy::UpdateTime];
        let both = |order_by| {
            [true, false].map(|ascending| Self { size: 20, order_by, ascending, after: None })
        };
        orders.into_iter().flat_map(both).collect()
    }

    #[cfg(test)]
    pub(crate) fn is_ascending(&self) -> bool {
        self.ascending
    }

    /// Moves on to what follows `node`.
    pub(crate) fn advance<N: Node>(&mut self, node: &N) {
        self.after = Some(self.position(node));
    }

    /// The token of the page that follows the last node passed.
    pub(crate) fn token(&self) -> Option<String> {
        let after = self.after?;
        let token = ListOperationNextPageToken {
            id_offset: Some(after.id),
            field_offset: Some(after.field),
            set_options: Some(ListOperationOptions {
                order_by_field: Some(self.order_by_field()),
                ..ListOperationOptions::default()
            }),
            listed_ids: Vec::new(),
        };
        Some(write_token(&token))
    }

    /// The statement that reads the next `limit` nodes of the selection.
    pub(crate) fn statement<'v, N: Node>(
        &self,
        selection: &'v Selection,
        limit: usize,
        dialect: &'static Dialect,
    ) -> Result<Statement<'v>> {
        let queries = N::KIND.queries;
        let mut built = Builder::new(queries.list[self.order_by as usize], dialect);
        built.sql("SELECT ").sql(queries.columns).sql(" FROM ").sql(queries.table).sql(" WHERE ");
        let has_bound = self.order_by == OrderBy::Id && self.after.is_some();
        selection.write::<N>(&mut built, has_bound)?;
        let (past, order) = match (self.order_by, self.ascending) {
            (OrderBy::Id, true) => (" AND id > ?", " ORDER BY id"),
            (OrderBy::Id, false) => (" AND id < ?", " ORDER BY id DESC"),
            (OrderBy::CreateTime, true) => (
                " AND (create_time_since_epoch, id) > (?, ?)",
                " ORDER BY create_time_since_epoch, id",
            ),
            (OrderBy::CreateTime, false) => (
                " AND (create_time_since_epoch, id) < (?, ?)",
                " ORDER BY create_time_since_epoch DESC, id DESC",
            ),
            (OrderBy::UpdateTime, true) => (
                " AND (last_update_time_since_epoch, id) > (?, ?)",
                " ORDER BY last_update_time_since_epoch, id",
            ),
            (OrderBy::UpdateTime, false) => (
                " AND (last_update_time_since_epoch, id) < (?, ?)",
                " ORDER BY last_update_time_since_epoch DESC, id DESC",
            ),
        };
        if let Some(after) = self.after {
            if !dialect.pairs_use_indexes {
                let at_least = match (self.order_by, self.ascending) {
                    (OrderBy::Id, _) => "",
                    (OrderBy::CreateTime, true) => " AND create_time_since_epoch >= ?",
                    (OrderBy::CreateTime, false) => " AND create_time_since_epoch <= ?",
                    (OrderBy::UpdateTime, true) => " AND last_update_time_since_epoch >= ?",
                    (OrderBy::UpdateTime, false) => " AND last_update_time_since_epoch <= ?",
                };
                built.sql(at_least);
                if self.order_by != OrderBy::Id {
                    built.value(after.field.into());
                }
            }
            built.sql(past);
            if self.order_by != OrderBy::Id {
                built.value(after.field.into());
            }
            built.value(after.id.into());
        }
        built.sql(order).sql(" LIMIT ?");
        built.value(Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        Ok(built.build())
    }
}

/// A place in a list or a stream as text that goes into a URL.
pub(crate) fn write_token(token: &impl Message) -> String {
    TOKEN.encode(token.encode_to_vec())
}

pub(crate) fn read_token<T: Message + Default>(token: &str) -> Result<T> {
    let bytes = TOKEN.decode(token).map_err(|_| malformed_token())?;
    T::decode(&bytes[..]).map_err(|_| malformed_token())
}

pub(crate) fn malformed_token() -> Error {
    invalid("the page token is not one that this store gave out")
        .hint("send the token of the last answer as it was, or none for the first page")
}

pub(crate) fn other_order() -> Error {
    invalid("the page token belongs to a list in another order")
        .hint("keep the order as it was for the first page")
}

#[cfg(test)]
mod tests {
    use headwater_proto::ml_metadata::Artifact;

    use super::*;
    use crate::error::ErrorKind;

    fn options(field: Field, ascending: bool, token: Option<String>) -> ListOperationOptions {
        ListOperationOptions {
            order_by_field: Some(OrderByField {
                field: Some(field as i32),
                is_asc: Some(ascending),
            }),
            next_page_token: token,
            ..ListOperationOptions::default()
        }
    }

    #[test]
    fn a_token_says_where_the_page_ended_and_in_which_order() {
        let mut page = Page::parse(&options(Field::CreateTime, false, None)).expect("a page");
        let node =
            Artifact { id: Some(7), create_time_since_epoch: Some(99), ..Artifact::default() };
        page.advance(&node);
        let next = Page::parse(&options(Field::CreateTime, false, page.token())).expect("a page");
        assert_eq!(next.after, Some(Position { field: 99, id: 7 }));
        for (field, ascending) in [(Field::CreateTime, true), (Field::Id, false)] {
            let error = Page::parse(&options(field, ascending, page.token())).expect_err("order");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn garbage_is_no_token() {
        for garbage in ["x", "%%%", "AAAA", "////", "CAE"] {
            let asked = options(Field::Id, true, Some(garbage.to_owned()));
            let error = Page::parse(&asked).expect_err("garbage");
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{garbage}");
        }
    }
}
