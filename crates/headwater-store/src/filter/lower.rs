//! A filter into SQL, with every value bound.
//!
//! A condition on neighbours becomes `EXISTS` over their tables, so that a node is found once
//! however many of them match, and a page can end early. Conditions that share no neighbour are
//! looked for apart, so that nothing is multiplied.

use super::functions::{Function, Sql};
use super::resolve::{Alias, Column, Expr, Type};
use super::{Filter, Language, Order};
use crate::backend::Value;
use crate::error::{Result, invalid};
use crate::limits::{
    FILTER_NEIGHBOURS_MAX, FILTER_SQL_BYTES_MAX, FILTER_TABLES_MAX, FILTER_VALUES_MAX,
};
use crate::sql::build::Builder;

/// A set of neighbours, by bit.
type Aliases = u64;

/// Conditions that share neighbours, and the neighbours.
struct Group<'f> {
    aliases: Aliases,
    conditions: Vec<&'f Expr>,
}

impl Filter {
    /// Appends ` AND` and the condition on the node `n`. `traced` has the nodes that each trace of
    /// the filter finds.
    pub(crate) fn write<'v>(
        &'v self,
        built: &mut Builder<'v>,
        traced: &'v [Vec<i64>],
    ) -> Result<()> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for condition in conjuncts(&self.condition) {
            let mut group = Group { aliases: aliases(condition), conditions: vec![condition] };
            let shares = |other: &Group<'_>, of: Aliases| other.aliases & of != 0;
            while let Some(at) = groups.iter().position(|other| shares(other, group.aliases)) {
                let other = groups.remove(at);
                group.aliases |= other.aliases;
                group.conditions.splice(0..0, other.conditions);
            }
            groups.push(group);
        }
        let mut writer = Writer { filter: self, traced, each_apart: false, as_stored: false };
        built.sql(" AND ");
        writer.balanced(built, &groups, " AND ", &mut |writer, built, group| {
            writer.group(built, group)
        })?;
        check_size(built)
    }
}

/// Refuses what has become too large for a database.
fn check_size(built: &Builder<'_>) -> Result<()> {
    if built.len() <= FILTER_SQL_BYTES_MAX && built.n_values() <= FILTER_VALUES_MAX {
        return Ok(());
    }
    Err(invalid("the filter is too complex").hint("ask in several calls"))
}

impl Order {
    /// Appends the values as columns `k0`, `k1` and so on.
    pub(crate) fn write<'v>(&'v self, built: &mut Builder<'v>) -> Result<()> {
        let mut writer =
            Writer { filter: &self.named, traced: &[], each_apart: true, as_stored: false };
        let n_apart: usize = self.keys.iter().map(|key| n_columns_apart(&key.value)).sum();
        if n_apart > FILTER_NEIGHBOURS_MAX {
            let message = format!("the order mentions properties {n_apart} times");
            return Err(invalid(message).hint(format!("{FILTER_NEIGHBOURS_MAX} times at most")));
        }
        for (at, key) in self.keys.iter().enumerate() {
            built.sql(", ");
            writer.expr(built, &key.value)?;
            built.numbered(" AS k#", at);
        }
        check_size(built)
    }
}

/// The conditions that must all hold.
pub(super) fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    match condition {
        Expr::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

impl Expr {
    /// The parts directly below.
    pub(super) fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Null | Expr::Bool(_) | Expr::Int(_) | Expr::Double(_) | Expr::Text(_) => {
                Vec::new()
            }
            Expr::Column(_) | Expr::Property(_) | Expr::Traced(_) => Vec::new(),
            Expr::Not(of)
            | Expr::Sign(_, of)
            | Expr::Bounded(of)
            | Expr::Is(of, _)
            | Expr::Cast(of, ..) => vec![of],
            Expr::Binary(_, left, right)
            | Expr::Whole(_, left, right)
            | Expr::Divide(left, right) => vec![left, right],
            Expr::And(parts) | Expr::Or(parts) | Expr::Call(_, parts) => parts.iter().collect(),
            Expr::In(of, list) => std::iter::once(&**of).chain(list).collect(),
            Expr::Between(of, low, high) => vec![of, low, high],
            Expr::Case { operand, arms, otherwise } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                operand.as_deref().into_iter().chain(arms).chain(otherwise.as_deref()).collect()
            }
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Expr::Int(_) | Expr::Double(_) | Expr::Text(_))
    }
}

fn alias_of(expr: &Expr) -> Aliases {
    match expr {
        Expr::Column(Column { alias: Some(alias), .. }) | Expr::Property(alias) => 1 << alias,
        _ => 0,
    }
}

/// How often a part mentions neighbours.
fn n_columns_apart(expr: &Expr) -> usize {
    let own = usize::from(alias_of(expr) != 0);
    expr.parts().into_iter().map(n_columns_apart).fold(own, |all, of| all + of)
}

/// The neighbours that a part mentions.
fn aliases(expr: &Expr) -> Aliases {
    expr.parts().into_iter().map(aliases).fold(alias_of(expr), |all, of| all | of)
}

/// The neighbours whose absence makes the value `NULL`.
fn nulls(expr: &Expr) -> Aliases {
    match expr {
        Expr::Between(of, ..) | Expr::In(of, _) => nulls(of),
        Expr::Is(..) | Expr::And(_) | Expr::Or(_) | Expr::Case { .. } => 0,
        Expr::Call(function, _) if function.takes_null() => 0,
        other => other.parts().into_iter().map(nulls).fold(alias_of(other), |all, of| all | of),
    }
}

/// The neighbours without which the condition cannot hold.
fn required(condition: &Expr) -> Aliases {
    match condition {
        Expr::And(parts) => parts.iter().map(required).fold(0, |all, of| all | of),
        Expr::Or(parts) => parts.iter().map(required).fold(Aliases::MAX, |all, of| all & of),
        Expr::Is(of, Some(_)) => nulls(of),
        Expr::Not(of) => match &**of {
            Expr::Is(of, None) => nulls(of),
            other => nulls(other),
        },
        other => nulls(other),
    }
}

/// Which property it is.
pub(super) fn property_conditions<'v>(built: &mut Builder<'v>, alias: &'v Alias, at: usize) {
    if let Some(is_custom) = alias.is_custom {
        built.numbered("t#.name = ? AND t#.is_custom_property = ?", at);
        built.value(alias.name.as_str().into()).value(Value::Bool(is_custom));
    }
}

pub(super) struct Writer<'v> {
    pub(super) filter: &'v Filter,
    pub(super) traced: &'v [Vec<i64>],
    /// Whether each column of a neighbour is read by a query of its own; a node has one at most.
    pub(super) each_apart: bool,
    /// Whether texts are compared as they are stored, as an index has them.
    pub(super) as_stored: bool,
}

impl<'v> Writer<'v> {
    /// Conditions on some neighbours: that there are such, for which all of them hold.
    fn group(&mut self, built: &mut Builder<'v>, group: &Group<'v>) -> Result<()> {
        let filter = self.filter;
        if group.aliases == 0 {
            return group.conditions.iter().try_for_each(|condition| self.expr(built, condition));
        }
        let of_group = |at: &usize| group.aliases & (1 << at) != 0;
        let numbers: Vec<usize> = (0..filter.aliases.len()).filter(of_group).collect();
        if let [only] = numbers[..]
            && filter.is_type(only)
        {
            built.sql(filter.node.type_of.node_key).sql(" IN (SELECT ");
            built.numbered("t#.id FROM Type AS t# WHERE ", only);
            return self.conditions(built, &group.conditions);
        }
        // Every node has a type.
        let types =
            numbers.iter().filter(|at| filter.is_type(**at)).fold(0, |all, at| all | 1 << at);
        let known = group.conditions.iter().map(|of| required(of)).fold(types, |all, of| all | of);
        let all_exist = filter.language == Language::Contract || group.aliases & !known == 0;
        let n_tables: usize = numbers.iter().map(|at| self.used(*at)).sum();
        if n_tables > FILTER_TABLES_MAX {
            let message = format!("the filter joins {n_tables} tables in one condition");
            return Err(invalid(message).hint(format!(
                "{FILTER_TABLES_MAX} can be joined; conditions with AND between them are apart"
            )));
        }
        built.sql("EXISTS (SELECT 1 FROM ");
        if all_exist {
            for (position, at) in numbers.iter().enumerate() {
                built.sql(if position > 0 { " CROSS JOIN " } else { "" });
                self.tables(built, *at, " CROSS JOIN ", None);
            }
            built.sql(" WHERE ");
            for at in &numbers {
                self.linked(built, *at);
                built.sql(" AND ");
                let alias = &filter.aliases[*at];
                for (_, on) in alias.neighbour.tables.iter().take(self.used(*at)).skip(1) {
                    built.numbered(on, *at).sql(" AND ");
                }
            }
        } else {
            built.sql("(SELECT 1 AS one) AS o");
            for at in &numbers {
                built.sql(" LEFT JOIN ");
                self.tables(built, *at, " LEFT JOIN ", Some(" ON "));
            }
            built.sql(" WHERE ");
        }
        self.conditions(built, &group.conditions)
    }

    fn conditions(&mut self, built: &mut Builder<'v>, conditions: &[&'v Expr]) -> Result<()> {
        self.balanced(built, conditions, " AND ", &mut |writer, built, condition| {
            writer.expr(built, condition)
        })?;
        built.sql(")");
        Ok(())
    }

    /// How many of a neighbour's tables are needed.
    fn used(&self, at: usize) -> usize {
        let alias = &self.filter.aliases[at];
        alias.neighbour.tables.len().min(if alias.uses_type { 3 } else { 2 })
    }

    /// The tables of a neighbour, each joined with the one before it.
    fn tables(
        &self,
        built: &mut Builder<'v>,
        at: usize,
        join: &'static str,
        on: Option<&'static str>,
    ) {
        let tables = self.filter.aliases[at].neighbour.tables;
        for (position, (table, condition)) in tables[..self.used(at)].iter().enumerate() {
            built.sql(if position > 0 { join } else { "" }).numbered(table, at);
            let Some(on) = on else { continue };
            built.sql(on);
            if position > 0 {
                built.numbered(condition, at);
            } else {
                self.linked(built, at);
            }
        }
    }

    /// That a neighbour is one of the node's.
    fn linked(&self, built: &mut Builder<'v>, at: usize) {
        let alias = &self.filter.aliases[at];
        built.numbered(alias.neighbour.key, at).sql(" = ").sql(alias.neighbour.node_key);
        if alias.is_custom.is_some() {
            built.sql(" AND ");
            property_conditions(built, alias, at);
        }
    }

    /// Writes a value or a condition.
    pub(super) fn expr(&mut self, built: &mut Builder<'v>, expr: &'v Expr) -> Result<()> {
        check_size(built)?;
        match expr {
            Expr::Null => _ = built.sql("NULL"),
            Expr::Bool(value) => _ = built.sql(if *value { "TRUE" } else { "FALSE" }),
            Expr::Int(_) | Expr::Double(_) | Expr::Text(_) => self.literal(built, expr),
            Expr::Column(column) => {
                let dialect = built.dialect();
                let (before, after) = match column.attribute.of {
                    Type::Text => dialect.text_column,
                    Type::Int => dialect.int_column,
                    _ => ("", ""),
                };
                built.sql(before);
                self.column(built, column.alias, column.attribute.sql);
                built.sql(after);
            }
            // Nothing was beside it that says what it is.
            Expr::Property(at) => self.column(built, Some(*at), super::names::PROPERTY_NUMBER.sql),
            Expr::Not(of) => self.text(built, "(NOT $1)", &[of])?,
            Expr::Sign("~", of) => self.text(built, "(~ $1)", &[of])?,
            Expr::Sign(_, of) => self.text(built, "(- $1)", &[of])?,
            Expr::Binary("^", left, right) => {
                self.text(built, "(($1 | $2) - ($1 & $2))", &[left, right])?;
            }
            Expr::Binary("|", left, right) => self.text(built, "($1 | $2)", &[left, right])?,
            Expr::Binary("&", left, right) => self.text(built, "($1 & $2)", &[left, right])?,
            Expr::Binary("<<", left, right) => self.text(built, "($1 << $2)", &[left, right])?,
            Expr::Binary(">>", left, right) => self.text(built, "($1 >> $2)", &[left, right])?,
            Expr::Binary("LIKE", left, right) => {
                self.text(built, "($1 LIKE $2)", &[left, right])?;
            }
            Expr::Binary(operator, left, right) => {
                built.sql("(");
                self.expr(built, left)?;
                built.sql(" ").sql(operator).sql(" ");
                self.expr(built, right)?;
                built.sql(")");
            }
            Expr::Whole(operator, left, right) => {
                let sql = match *operator {
                    "+" => "($1 + $2)",
                    "-" => "($1 - $2)",
                    _ => "($1 * $2)",
                };
                self.text(built, sql, &[left, right])?;
            }
            Expr::Bounded(of) => self.text(built, "(($1))", &[of])?,
            Expr::Divide(left, right) => {
                let sql = "(CAST($1 AS DOUBLE PRECISION) / NULLIF($2, 0))";
                self.text(built, sql, &[left, right])?;
            }
            Expr::And(parts) => self.balanced(built, parts, " AND ", &mut Self::expr)?,
            Expr::Or(parts) => self.balanced(built, parts, " OR ", &mut Self::expr)?,
            Expr::In(of, list) => {
                built.sql("(");
                self.expr(built, of)?;
                self.list(built, list)?;
                built.sql(")");
            }
            Expr::Between(of, low, high) => {
                self.text(built, "($1 BETWEEN $2 AND $3)", &[of, low, high])?;
            }
            Expr::Is(of, None) => match &**of {
                Expr::Column(column) => {
                    built.sql("(");
                    self.column(
                        built,
                        column.alias,
                        column.attribute.indexed.unwrap_or(column.attribute.sql),
                    );
                    built.sql(" IS NULL)");
                }
                other => self.text(built, "($1 IS NULL)", &[other])?,
            },
            Expr::Is(of, Some(true)) => self.text(built, "($1 IS TRUE)", &[of])?,
            Expr::Is(of, Some(false)) => self.text(built, "($1 IS FALSE)", &[of])?,
            Expr::Case { operand, arms, otherwise } => {
                self.case(built, operand.as_deref(), arms, otherwise.as_deref())?;
            }
            Expr::Cast(of, from, to) => self.text(built, cast(*from, *to), &[of])?,
            Expr::Call(function, arguments) => self.call(built, function, arguments)?,
            Expr::Traced(at) => {
                let ids = self.traced.get(*at).map_or(&[][..], |ids| ids);
                built.sql("(n.id").is_in(ids.into()).sql(")");
            }
        }
        Ok(())
    }

    pub(super) fn column(&self, built: &mut Builder<'v>, alias: Option<usize>, sql: &'static str) {
        let Some(at) = alias.filter(|_| self.each_apart) else {
            built.numbered(sql, alias.unwrap_or_default());
            return;
        };
        built.sql("(SELECT ").numbered(sql, at).sql(" FROM ");
        self.tables(built, at, ", ", None);
        built.sql(" WHERE ");
        self.linked(built, at);
        built.sql(")");
    }

    /// Writes a text in which `$1` stands for the first part.
    fn text(
        &mut self,
        built: &mut Builder<'v>,
        sql: &'static str,
        parts: &[&'v Expr],
    ) -> Result<()> {
        self.joined(built, sql, "", parts)
    }

    /// The same; `$*` stands for all parts, with a text between them.
    fn joined(
        &mut self,
        built: &mut Builder<'v>,
        sql: &'static str,
        between: &'static str,
        parts: &[&'v Expr],
    ) -> Result<()> {
        let mut pieces = built.dialect().spell(sql).split('$');
        built.sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            if let Some(rest) = piece.strip_prefix('*') {
                for (at, part) in parts.iter().enumerate() {
                    built.sql(if at > 0 { between } else { "" });
                    self.expr(built, part)?;
                }
                built.sql(rest);
            } else {
                let number: usize = piece[..1].parse().unwrap_or(1);
                self.expr(built, parts[number - 1])?;
                built.sql(&piece[1..]);
            }
        }
        Ok(())
    }

    /// Halves of halves, because databases limit how deep a condition may be.
    pub(super) fn balanced<'p, P>(
        &mut self,
        built: &mut Builder<'v>,
        parts: &'p [P],
        by: &'static str,
        write: &mut impl FnMut(&mut Self, &mut Builder<'v>, &'p P) -> Result<()>,
    ) -> Result<()> {
        if let [only] = parts {
            return write(self, built, only);
        }
        let (left, right) = parts.split_at(parts.len() / 2);
        built.sql("(");
        self.balanced(built, left, by, write)?;
        built.sql(by);
        self.balanced(built, right, by, write)?;
        built.sql(")");
        Ok(())
    }

    /// ` IN` and values: one bound list where they are literals of one type.
    pub(super) fn list(&mut self, built: &mut Builder<'v>, list: &'v [Expr]) -> Result<()> {
        let ints: Option<Vec<i64>> = list
            .iter()
            .map(|value| if let Expr::Int(v) = value { Some(*v) } else { None })
            .collect();
        if let Some(ints) = ints {
            built.is_in(Value::Ints(ints.into()));
            return Ok(());
        }
        let texts: Option<Vec<&str>> = list
            .iter()
            .map(|value| if let Expr::Text(v) = value { Some(v.as_str()) } else { None })
            .collect();
        let is_plain = self.as_stored || built.dialect().text_value == "?";
        if let Some(texts) = texts.filter(|_| is_plain) {
            built.is_in(Value::Texts(texts));
            return Ok(());
        }
        for (at, value) in list.iter().enumerate() {
            built.sql(if at > 0 { ", " } else { " IN (" });
            self.expr(built, value)?;
        }
        built.sql(")");
        Ok(())
    }

    fn literal(&self, built: &mut Builder<'v>, expr: &'v Expr) {
        let (text, value) = match expr {
            Expr::Int(value) => ("?", Value::Int(*value)),
            Expr::Double(value) => ("?", Value::Real(*value)),
            Expr::Text(value) if self.as_stored => ("?", value.as_str().into()),
            Expr::Text(value) => (built.dialect().text_value, value.as_str().into()),
            _ => ("?", Value::Null),
        };
        built.sql(text).value(value);
    }

    fn case(
        &mut self,
        built: &mut Builder<'v>,
        operand: Option<&'v Expr>,
        arms: &'v [(Expr, Expr)],
        otherwise: Option<&'v Expr>,
    ) -> Result<()> {
        built.sql("(CASE ");
        operand.map_or(Ok(()), |operand| self.expr(built, operand))?;
        for (when, then) in arms {
            built.sql(" WHEN ");
            self.expr(built, when)?;
            built.sql(" THEN ");
            self.expr(built, then)?;
        }
        if let Some(otherwise) = otherwise {
            built.sql(" ELSE ");
            self.expr(built, otherwise)?;
        }
        built.sql(" END)");
        Ok(())
    }

    fn call(
        &mut self,
        built: &mut Builder<'v>,
        function: &'static Function,
        arguments: &'v [Expr],
    ) -> Result<()> {
        match &function.sql {
            Sql::Text(texts) => {
                let parts: Vec<&Expr> = arguments.iter().collect();
                let text = texts.get(parts.len().saturating_sub(function.least()));
                self.text(built, text.or(texts.last()).unwrap_or(&"NULL"), &parts)
            }
            Sql::Joined(text, between) => {
                let parts: Vec<&Expr> = arguments.iter().collect();
                self.joined(built, text, between, &parts)
            }
        }
    }
}

/// A truth value as 0 or 1.
const BOOL_AS_NUMBER: &str = "(CASE $1 WHEN TRUE THEN 1 WHEN FALSE THEN 0 END)";

fn cast(from: Type, to: Type) -> &'static str {
    match (from, to) {
        (Type::Null, _) => "NULL",
        // The value of a text that lists are ordered by.
        (Type::Text, Type::Any) => "($1)",
        (from, to) if from == to => "$1",
        (Type::Bool, Type::Text) => "(CASE $1 WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END)",
        // A whole number has no `.0`.
        (Type::Double, Type::Text) => {
            "(CASE WHEN $1 = CAST($1 AS INTEGER) THEN CAST(CAST($1 AS INTEGER) AS TEXT) \
             ELSE CAST($1 AS TEXT) END)"
        }
        (_, Type::Text) => "CAST($1 AS TEXT)",
        (Type::Bool, Type::Int | Type::Double) => BOOL_AS_NUMBER,
        (Type::Text, Type::Double) => "CAST($1 AS DOUBLE PRECISION)",
        (_, Type::Double) => "CAST(+$1 AS DOUBLE PRECISION)",
        (Type::Text, Type::Bool) => {
            "(CASE LOWER($1) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END)"
        }
        (_, Type::Bool) => "($1 <> 0)",
        (Type::Text, _) => "CAST($1 AS INTEGER)",
        // A number; the plus tells it from a text where the two are cast in other words.
        _ => "CAST(+$1 AS INTEGER)",
    }
}
