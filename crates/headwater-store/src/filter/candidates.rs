//! Nodes that may match a filter, as an index leads to them.
//!
//! Where few may match, looking at each is the fastest way to find those that do; where many may,
//! going through all nodes in the order of a list is, because a page is full early. No database
//! knows which without statistics, so they are counted first, up to a limit: an index alone answers
//! that.

use super::Filter;
use super::lower::{Writer, conjuncts, property_conditions};
use super::names::PROPERTY_NUMBER;
use super::resolve::{Column, Expr};
use crate::backend::{Statement, Value};
use crate::error::Result;
use crate::limits::FILTER_CANDIDATES_MAX;
use crate::sql::Dialect;
use crate::sql::build::Builder;

/// Ways to find candidates that are counted for one list, at most.
const WAYS_MAX: usize = 4;
/// Parts of one way, at most.
const PARTS_MAX: usize = 8;
/// Characters of a prefix that are looked for.
const PREFIX_MAX: usize = 200;

/// Sets of nodes that have every match among them.
struct Way<'f>(Vec<Part<'f>>);

/// What one index leads to.
struct Part<'f> {
    /// The neighbour that the index is of; `None` for the node itself.
    target: Option<usize>,
    conditions: Vec<&'f Expr>,
}

impl Filter {
    /// The trace whose nodes have every match among them, if there is one.
    pub(crate) fn traced_candidates(&self) -> Option<usize> {
        conjuncts(&self.condition).into_iter().find_map(|condition| match condition {
            Expr::Traced(at) => Some(*at),
            _ => None,
        })
    }

    /// The statement that counts candidates, up to one more than may be looked at, and its columns:
    /// one for each way to find them.
    pub(crate) fn count_candidates<'v>(
        &'v self,
        name: &'static str,
        dialect: &'static Dialect,
    ) -> Result<Option<(Statement<'v>, usize)>> {
        let ways = self.ways(dialect);
        if ways.is_empty() {
            return Ok(None);
        }
        let mut built = Builder::new(name, dialect);
        for (at, Way(parts)) in ways.iter().enumerate() {
            built.sql(if at > 0 { ", " } else { "SELECT " });
            for (at, part) in parts.iter().enumerate() {
                built.sql(if at > 0 { " + " } else { "" });
                built.sql("(SELECT COUNT(*) FROM (SELECT 1");
                // A list of mixed numbers is bound one by one, for each column it is compared with.
                // What is too large to be looked for is gone through.
                if self.part(&mut built, part).is_err() {
                    return Ok(None);
                }
                let limit = i64::try_from(FILTER_CANDIDATES_MAX + 1).unwrap_or(i64::MAX);
                built.sql(" LIMIT ?) AS c)").value(Value::Int(limit));
            }
        }
        Ok(Some((built.build(), ways.len())))
    }

    /// The statement that reads the ids of the candidates of one way.
    pub(crate) fn read_candidates<'v>(
        &'v self,
        name: &'static str,
        dialect: &'static Dialect,
        way: usize,
    ) -> Result<Statement<'v>> {
        let mut built = Builder::new(name, dialect);
        let ways = self.ways(dialect);
        for (at, part) in ways.get(way).iter().flat_map(|way| &way.0).enumerate() {
            built.sql(if at > 0 { " UNION ALL SELECT " } else { "SELECT " });
            match part.target.filter(|at| !self.is_type(*at)) {
                Some(at) => built.numbered(self.aliases[at].neighbour.key, at),
                None => built.sql("n.id"),
            };
            self.part(&mut built, part)?;
        }
        Ok(built.build())
    }

    /// Whether a neighbour is the type of the node.
    pub(super) fn is_type(&self, at: usize) -> bool {
        self.aliases[at].neighbour.prefix == self.node.type_of.prefix
    }

    fn ways(&self, dialect: &Dialect) -> Vec<Way<'_>> {
        let all = conjuncts(&self.condition);
        let mut ways: Vec<Way<'_>> = Vec::new();
        for condition in &all {
            let Some(mut parts) =
                cover(condition, dialect).filter(|parts| parts.len() <= PARTS_MAX)
            else {
                continue;
            };
            if let [only] = &mut parts[..]
                && only.prefix().is_none()
            {
                let is_known =
                    |Way(known): &Way<'_>| known.len() == 1 && known[0].target == only.target;
                if ways.iter().any(is_known) {
                    continue;
                }
                // What goes by the same index narrows it down.
                let same = |other: &&Expr| indexed(other) == Some(only.target);
                only.conditions = all.iter().copied().filter(same).collect();
            }
            ways.push(Way(parts));
            if ways.len() == WAYS_MAX {
                break;
            }
        }
        ways
    }

    /// Appends the tables and the conditions of a part. The order of the tables is given: a
    /// database without statistics would guess.
    fn part<'v>(&'v self, built: &mut Builder<'v>, part: &Part<'v>) -> Result<()> {
        if let Some(prefix) = part.prefix() {
            beginnings(built, prefix);
            return Ok(());
        }
        let names = part.conditions.iter().any(|condition| mentions_name(condition));
        built.sql(" FROM ");
        match part.target {
            // Names are indexed within their type.
            None if names => {
                built.sql("Type AS k CROSS JOIN ").sql(self.node.table);
                built.sql(" WHERE n.type_id = k.id AND ");
            }
            None => _ = built.sql(self.node.table).sql(" WHERE "),
            Some(at) => self.neighbour(built, at, names),
        }
        let mut writer = Writer { filter: self, traced: &[], each_apart: false, as_stored: true };
        writer.balanced(built, &part.conditions, " AND ", &mut |writer, built, condition| {
            writer.indexed(built, condition)
        })
    }

    fn neighbour<'v>(&'v self, built: &mut Builder<'v>, at: usize, names: bool) {
        let alias = &self.aliases[at];
        let tables = alias.neighbour.tables;
        let used = if alias.uses_type || names { tables.len() } else { tables.len().min(2) };
        for (position, (table, _)) in tables[..used].iter().enumerate().rev() {
            built.numbered(table, at).sql(if position > 0 { " CROSS JOIN " } else { "" });
        }
        if self.is_type(at) {
            built.sql(" CROSS JOIN ").sql(self.node.table);
        }
        built.sql(" WHERE ");
        if self.is_type(at) {
            built.sql("n.type_id = ").numbered(alias.neighbour.key, at).sql(" AND ");
        }
        for (_, on) in &tables[1..used] {
            built.numbered(on, at).sql(" AND ");
        }
        if alias.is_custom.is_some() {
            property_conditions(built, alias, at);
            built.sql(" AND ");
        }
    }
}

/// What indexes lead to for a condition: all nodes for which it holds are among these.
fn cover<'f>(condition: &'f Expr, dialect: &Dialect) -> Option<Vec<Part<'f>>> {
    if dialect.finds_prefixes && uri_prefix(condition).is_some() {
        return Some(vec![Part { target: None, conditions: vec![condition] }]);
    }
    if let Some(target) = indexed(condition) {
        return Some(vec![Part { target, conditions: vec![condition] }]);
    }
    match condition {
        Expr::And(parts) => parts.iter().find_map(|part| cover(part, dialect)),
        Expr::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(cover(part, dialect)?);
                if all.len() > PARTS_MAX {
                    return None;
                }
            }
            Some(all)
        }
        _ => None,
    }
}

impl<'f> Part<'f> {
    /// What the URIs begin with, if that is what leads to them.
    fn prefix(&self) -> Option<&'f str> {
        match self.conditions[..] {
            [condition] => uri_prefix(condition),
            _ => None,
        }
    }
}

/// What an artifact's URI begins with if the condition holds, in whichever case of its letters.
fn uri_prefix(condition: &Expr) -> Option<&str> {
    let Expr::Binary("LIKE", left, right) = condition else { return None };
    let (Expr::Column(column), Expr::Text(pattern)) = (&**left, &**right) else { return None };
    let is_uri = column.alias.is_none() && column.attribute.name == "uri";
    // What follows a character must be one, too.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'}') && byte != b'%' && byte != b'_';
    let end = pattern.bytes().take(PREFIX_MAX).take_while(|byte| is_plain(*byte)).count();
    Some(&pattern[..end]).filter(|prefix| is_uri && !prefix.is_empty())
}

/// Appends the artifacts whose URI begins like this. `LIKE` does not mind the case of letters and
/// the index does: each beginning that is there is followed through it, a character at a time. If
/// there are thousands, all artifacts are candidates.
fn beginnings<'v>(built: &mut Builder<'v>, prefix: &'v str) {
    built.sql(" FROM (WITH RECURSIVE wanted(p) AS (SELECT ?)").value(prefix.into());
    built.sql(
        ", place(at) AS (SELECT 1 UNION ALL \
         SELECT at + 1 FROM place, wanted WHERE at < LENGTH(p)), \
         letters(at, letter) AS (SELECT at, SUBSTR(LOWER(p), at, 1) FROM place, wanted \
         UNION SELECT at, SUBSTR(UPPER(p), at, 1) FROM place, wanted), \
         begun(low, high, length) AS (SELECT '', '', 0 UNION ALL \
         SELECT low || letter, low || CHAR(UNICODE(letter) + 1), at FROM begun \
         JOIN letters ON at = length + 1 WHERE EXISTS (SELECT 1 FROM Artifact \
         WHERE uri >= low || letter AND uri < low || CHAR(UNICODE(letter) + 1)) LIMIT 4000), \
         few(few) AS (SELECT COUNT(*) < 4000 FROM begun) \
         SELECT low, high FROM begun, wanted, few WHERE length = LENGTH(p) AND few \
         UNION ALL SELECT '', CHAR(1114111) FROM few WHERE NOT few) AS b \
         CROSS JOIN Artifact AS n WHERE n.uri >= b.low AND n.uri < b.high",
    );
}

/// A column that has an index, compared with values: whose column it is.
#[allow(clippy::option_option)]
fn indexed(condition: &Expr) -> Option<Option<usize>> {
    match condition {
        Expr::Binary("=" | "<" | "<=" | ">" | ">=", left, right) => {
            let (column, value) = if left.is_literal() { (right, left) } else { (left, right) };
            let Expr::Column(column) = &**column else { return None };
            let is_equality = matches!(condition, Expr::Binary("=", ..));
            indexed_column(column, std::slice::from_ref(value), is_equality)
        }
        Expr::In(of, list) => match &**of {
            Expr::Column(column) => indexed_column(column, list, true),
            _ => None,
        },
        Expr::Between(of, low, high) => match &**of {
            Expr::Column(column) => {
                let low = indexed_column(column, std::slice::from_ref(low), false)?;
                indexed_column(column, std::slice::from_ref(high), false).filter(|of| *of == low)
            }
            _ => None,
        },
        Expr::Or(parts) => {
            let mut found = parts.iter().map(indexed);
            let first = found.next()??;
            found.all(|other| other == Some(first)).then_some(first)
        }
        _ => None,
    }
}

#[allow(clippy::option_option)]
fn indexed_column(column: &Column, values: &[Expr], is_equality: bool) -> Option<Option<usize>> {
    // A string that a column cannot say as it is stands there in another form.
    let finds = |value: &Expr| match value {
        Expr::Text(text) => is_equality && !crate::rows::is_written_otherwise(text),
        other => other.is_literal(),
    };
    let found = column.attribute.indexed.is_some() && values.iter().all(finds);
    found.then_some(column.alias)
}

/// The first characters of a text.
fn prefix(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(end, _)| &text[..end])
}

/// Appends that a text property begins as one of the values does, because that is what its index
/// has.
fn prefixes<'v>(built: &mut Builder<'v>, condition: &'v Expr, column: Column, chars: usize) {
    let texts = condition.parts().into_iter().filter_map(|part| match part {
        Expr::Text(text) => Some(prefix(text, chars)),
        _ => None,
    });
    built.numbered(" AND LEFT(t#.string_value, 255)", column.alias.unwrap_or_default());
    built.is_in(Value::Texts(texts.collect()));
}

fn mentions_name(expr: &Expr) -> bool {
    let own = matches!(expr, Expr::Column(column) if column.attribute.name == "name");
    own || expr.parts().into_iter().any(mentions_name)
}

impl<'v> Writer<'v> {
    /// Writes a condition as an index on its column serves it. It may hold for a few nodes more.
    fn indexed(&mut self, built: &mut Builder<'v>, condition: &'v Expr) -> Result<()> {
        if let Expr::Or(parts) = condition {
            return self.balanced(built, parts, " OR ", &mut Self::indexed);
        }
        let column = condition.parts().into_iter().find_map(|part| match part {
            Expr::Column(column) => Some(*column),
            _ => None,
        });
        let Some(column) = column else { return self.expr(built, condition) };
        if column.attribute.sql == PROPERTY_NUMBER.sql {
            built.sql("(");
            self.compared(built, condition, column, "t#.double_value")?;
            built.sql(" OR ");
            self.compared(built, condition, column, "t#.int_value")?;
            built.sql(")");
            return Ok(());
        }
        let sql = column.attribute.indexed.unwrap_or(column.attribute.sql);
        self.compared(built, condition, column, sql)?;
        if column.attribute.name == "string_value"
            && let Some(chars) = built.dialect().text_index_chars
        {
            prefixes(built, condition, column, chars);
        }
        Ok(())
    }

    /// A comparison of `sql` in place of the column with values.
    fn compared(
        &mut self,
        built: &mut Builder<'v>,
        condition: &'v Expr,
        column: Column,
        sql: &'static str,
    ) -> Result<()> {
        let mut side = |built: &mut Builder<'v>, part: &'v Expr| match part {
            Expr::Column(_) => {
                self.column(built, column.alias, sql);
                Ok(())
            }
            other => self.expr(built, other),
        };
        match condition {
            Expr::Binary(operator, left, right) => {
                side(built, left)?;
                built.sql(" ").sql(operator).sql(" ");
                side(built, right)
            }
            Expr::In(of, list) => {
                side(built, of)?;
                self.list(built, list)
            }
            Expr::Between(of, low, high) => {
                side(built, of)?;
                built.sql(" BETWEEN ");
                side(built, low)?;
                built.sql(" AND ");
                side(built, high)
            }
            other => self.expr(built, other),
        }
    }
}
