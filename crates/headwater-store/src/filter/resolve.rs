//! The tree of a filter into one whose names are known and whose types agree.

use super::functions::{self, Function};
use super::lex::{Name, Span};
use super::names::{Attribute, EnumNames, Neighbour, NodeNames, PROPERTY_ITSELF, PROPERTY_NUMBER};
use super::parse::{Ast, Kind, Words};
use super::{Filter, FilterError, Language, Trace};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// The literal `NULL`, which has no type of its own.
    Null,
    Bool,
    Int,
    /// An integer that only an unsigned one of 64 bits holds; it can be compared, no more.
    Large,
    Double,
    Text,
    /// A property without the name of its value, which is what the other side is.
    Any,
}

impl Type {
    fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Large | Type::Double)
    }

    pub(crate) fn noun(self) -> &'static str {
        match self {
            Type::Null => "NULL",
            Type::Bool => "a condition",
            Type::Int => "an integer",
            Type::Large => "an integer of more than 63 bits",
            Type::Double => "a double",
            Type::Text => "a string",
            Type::Any => "a property",
        }
    }
}

/// A filter whose names are known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Column(Column),
    /// A property without the name of its value.
    Property(usize),
    Not(Box<Expr>),
    /// A sign before a number.
    Sign(&'static str, Box<Expr>),
    /// An operator of SQL between two operands.
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `+`, `-` or `*` between two integers, somewhere in a `Bounded`.
    Whole(&'static str, Box<Expr>, Box<Expr>),
    /// Where such a calculation becomes an integer of 64 bits again.
    Bounded(Box<Expr>),
    Divide(Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    In(Box<Expr>, Vec<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Is(Box<Expr>, Option<bool>),
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(Box<Expr>, Type, Type),
    Call(&'static Function, Vec<Expr>),
    /// Whether the node is among those that a trace finds, by the trace's number.
    Traced(usize),
}

/// A column of the node (`None`) or of a neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) alias: Option<usize>,
    pub(crate) attribute: &'static Attribute,
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.alias == other.alias && self.attribute.sql == other.attribute.sql
    }
}

/// A neighbour that a filter mentions. The same name is the same neighbour.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) neighbour: &'static Neighbour,
    /// Its name; that of the property for properties.
    pub(crate) name: String,
    /// Whether it is a custom property, for properties.
    pub(crate) is_custom: Option<bool>,
    /// Whether the neighbour's type is joined.
    pub(crate) uses_type: bool,
}

impl Alias {
    /// Whether a node may have more than one such neighbour.
    fn is_one_of_many(&self, node: &NodeNames) -> bool {
        self.is_custom.is_none() && self.neighbour.prefix != node.type_of.prefix
    }
}

/// Finds out what the names of a filter stand for.
pub(crate) struct Resolver {
    pub(crate) node: &'static NodeNames,
    pub(crate) language: Language,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) traces: Vec<Trace>,
}

type Typed = (Expr, Type);
type Resolved = Result<Typed, FilterError>;

impl Resolver {
    /// The whole filter.
    pub(crate) fn whole(&mut self, ast: &Ast) -> Result<Expr, FilterError> {
        match ast.kind {
            Kind::Null => Err(mismatch(ast, Type::Null, "a condition, as in `name = 'x'`")),
            _ => self.condition(ast),
        }
    }

    /// A part that must be a condition.
    pub(crate) fn condition(&mut self, ast: &Ast) -> Result<Expr, FilterError> {
        let (expr, of) = self.resolve(ast)?;
        let (expr, of) = self.settle(expr, of, Type::Bool);
        match of {
            Type::Bool | Type::Null => Ok(expr),
            _ => Err(mismatch(ast, of, "a condition, as in `name = 'x'`")),
        }
    }

    /// What a list is ordered by: one value, or a property's numbers, then its strings,
    /// then its truth values.
    pub(crate) fn order_key(&mut self, ast: &Ast) -> Result<Vec<Expr>, FilterError> {
        let (expr, of) = self.resolve(ast)?;
        if let Some(alias) = self.aliases.iter().find(|alias| alias.is_one_of_many(self.node)) {
            let message = format!("one {} may have several `{}`", self.node.noun, alias.name);
            return Err(FilterError::new(ast.span.clone(), message)
                .accepts("attributes and properties of the node itself"));
        }
        if !self.traces.is_empty() {
            return Err(mismatch(ast, Type::Bool, "attributes and properties of the node itself"));
        }
        Ok(match expr {
            Expr::Property(_) => [Type::Double, Type::Text, Type::Bool]
                .map(|of| sortable(self.settle(expr.clone(), Type::Any, of)))
                .into(),
            _ if of == Type::Null => Vec::new(),
            expr => vec![sortable((expr, of))],
        })
    }

    pub(crate) fn resolve(&mut self, ast: &Ast) -> Resolved {
        Ok(match &ast.kind {
            Kind::Null => (Expr::Null, Type::Null),
            Kind::Bool(value) => (Expr::Bool(*value), Type::Bool),
            Kind::Int(value) => match i64::try_from(*value) {
                Ok(value) => (Expr::Int(value), Type::Int),
                #[allow(clippy::cast_precision_loss)]
                Err(_) => (Expr::Double(*value as f64), Type::Large),
            },
            Kind::Double(value) => (Expr::Double(*value), Type::Double),
            Kind::Text(value) => (Expr::Text(value.clone()), Type::Text),
            Kind::Path(names) => self.path(names, &ast.span)?,
            Kind::Unary("NOT", of) => {
                reject_null(of, "NOT")?;
                (Expr::Not(Box::new(self.condition(of)?)), Type::Bool)
            }
            Kind::Unary(sign, of) => self.sign(sign, of)?,
            Kind::Binary(operator, left, right) => self.binary(operator, left, right)?,
            Kind::And(parts) => (Expr::And(self.conditions(parts)?), Type::Bool),
            Kind::Or(parts) => (Expr::Or(self.conditions(parts)?), Type::Bool),
            Kind::In(of, list, negated) => self.is_in(of, list, *negated)?,
            Kind::Between(of, low, high) => {
                let (mut parts, _) = self.alike(&[&**of, &**low, &**high], "BETWEEN")?;
                let (high, low) = (parts.pop(), parts.pop());
                let [of, low, high] =
                    [parts.pop(), low, high].map(|p| Box::new(p.unwrap_or(Expr::Null)));
                (Expr::Between(of, low, high), Type::Bool)
            }
            Kind::Is(of, "NULL") => {
                let (expr, _) = self.resolve(of)?;
                let expr = match expr {
                    Expr::Property(alias) => column(Some(alias), &PROPERTY_ITSELF).0,
                    // A NaN is a value.
                    expr => expr,
                };
                (Expr::Is(Box::new(expr), None), Type::Bool)
            }
            Kind::Is(of, what) => {
                let value = match *what {
                    "TRUE" => Some(true),
                    "FALSE" => Some(false),
                    _ => None,
                };
                (Expr::Is(Box::new(self.condition(of)?), value), Type::Bool)
            }
            Kind::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref())?
            }
            Kind::Cast(of, name) => self.cast(of, name, &ast.span)?,
            Kind::Call(name, arguments) => self.call(name, arguments, &ast.span)?,
        })
    }

    fn conditions(&mut self, parts: &[Ast]) -> Result<Vec<Expr>, FilterError> {
        parts.iter().map(|part| self.condition(part)).collect()
    }

    /// Makes a property without the name of its value the value of a type.
    fn settle(&mut self, expr: Expr, of: Type, wanted: Type) -> Typed {
        let Expr::Property(alias) = expr else { return (expr, of) };
        let field = match wanted {
            Type::Int => "int_value",
            Type::Text => "string_value",
            Type::Bool => "bool_value",
            _ => return column(Some(alias), &PROPERTY_NUMBER),
        };
        let attributes = self.aliases[alias].neighbour.attributes;
        let attribute = attributes.iter().find(|attribute| attribute.name == field);
        column(Some(alias), attribute.unwrap_or(&PROPERTY_NUMBER))
    }

    /// Operands that must be of one type, where integers and doubles are one.
    pub(crate) fn alike(
        &mut self,
        asts: &[&Ast],
        by: &str,
    ) -> Result<(Vec<Expr>, Type), FilterError> {
        let typed: Vec<Typed> =
            asts.iter().map(|ast| self.resolve(ast)).collect::<Result<_, _>>()?;
        let definite = |of: &Type| !matches!(of, Type::Null | Type::Any);
        let wanted = typed.iter().map(|(_, of)| *of).find(definite).unwrap_or(Type::Double);
        let wanted = if wanted.is_number() { Type::Double } else { wanted };
        let mut common = Type::Null;
        let mut exprs = Vec::with_capacity(typed.len());
        for ((expr, of), ast) in typed.into_iter().zip(asts) {
            let (expr, of) = self.settle(expr, of, wanted);
            common = match (common, of) {
                (Type::Null, of) => of,
                (common, of) if of == Type::Null || of == common => common,
                (common, of) if common.is_number() && of.is_number() => Type::Double,
                (common, of) => {
                    let wanted = match exprs.iter().find_map(enum_of_column) {
                        Some(names) => spelt(&names()),
                        None => format!("{} beside {by}, as the other side", common.noun()),
                    };
                    return Err(mismatch(ast, of, &wanted));
                }
            };
            exprs.push(expr);
        }
        Ok((exprs, common))
    }

    fn sign(&mut self, sign: &'static str, of: &Ast) -> Resolved {
        reject_null(of, sign)?;
        // The smallest integer has no positive one to be the negative of.
        if sign == "-" && of.kind == Kind::Int(1 << 63) {
            return Ok((Expr::Int(i64::MIN), Type::Int));
        }
        let (expr, found) = self.resolve(of)?;
        let (expr, found) = self.settle(expr, found, Type::Double);
        let fits = found == Type::Int || (found == Type::Double && sign != "~");
        if !fits {
            return Err(mismatch(of, found, "a number"));
        }
        match (sign, expr) {
            ("+", expr) => Ok((expr, found)),
            ("-", Expr::Int(value)) if value != i64::MIN => Ok((Expr::Int(-value), found)),
            ("-", Expr::Double(value)) => Ok((Expr::Double(-value), found)),
            ("-", expr) if found == Type::Int => Ok((whole("-", Expr::Int(0), expr), found)),
            (_, expr) => Ok((Expr::Sign(sign, Box::new(expr)), found)),
        }
    }

    fn binary(&mut self, operator: &'static str, left: &Ast, right: &Ast) -> Resolved {
        if let Some(compared) = self.enum_compared(operator, left, right)? {
            return Ok(compared);
        }
        for operand in [left, right] {
            reject_null(operand, operator)?;
        }
        if matches!(operator, "LIKE" | "||") {
            let [left, right] = [self.text(left)?, self.text(right)?];
            let of = if operator == "LIKE" { Type::Bool } else { Type::Text };
            return Ok((Expr::Binary(operator, Box::new(left), Box::new(right)), of));
        }
        let is_arithmetic = !matches!(operator, "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=");
        let (mut parts, common) = self.alike(&[left, right], &format!("`{operator}`"))?;
        let is_bitwise = matches!(operator, "|" | "^" | "&" | "<<" | ">>");
        if is_arithmetic {
            let fits = common == Type::Int || (common == Type::Double && !is_bitwise);
            if !fits {
                let wanted = if is_bitwise { "an integer" } else { "a number" };
                return Err(mismatch(left, common, wanted));
            }
        }
        let right = Box::new(parts.pop().unwrap_or(Expr::Null));
        let left = Box::new(parts.pop().unwrap_or(Expr::Null));
        Ok(match operator {
            "/" => (Expr::Divide(left, right), Type::Double),
            "<>" => (Expr::Binary("!=", left, right), Type::Bool),
            "+" | "-" | "*" if common == Type::Int => (whole(operator, *left, *right), common),
            _ if is_arithmetic => (Expr::Binary(operator, left, right), common),
            _ => (Expr::Binary(operator, left, right), Type::Bool),
        })
    }

    pub(crate) fn text(&mut self, ast: &Ast) -> Result<Expr, FilterError> {
        self.argument(ast, Type::Text)
    }

    /// An operand that must be of a type; an integer is a double, too, and `NULL` is of any.
    pub(crate) fn argument(&mut self, ast: &Ast, wanted: Type) -> Result<Expr, FilterError> {
        let (expr, of) = self.resolve(ast)?;
        let (expr, of) = self.settle(expr, of, wanted);
        let fits = of == wanted || of == Type::Null || (wanted == Type::Double && of == Type::Int);
        if fits { Ok(expr) } else { Err(mismatch(ast, of, wanted.noun())) }
    }

    /// The enum that a part is a value of, if it is one.
    fn enum_of(&mut self, ast: &Ast) -> Result<Option<(Expr, &'static Attribute)>, FilterError> {
        if !is_path(ast) {
            return Ok(None);
        }
        let (expr, _) = self.resolve(ast)?;
        Ok(match expr {
            Expr::Column(Column { attribute, .. }) if attribute.names.is_some() => {
                Some((expr, attribute))
            }
            _ => None,
        })
    }

    /// `state = LIVE` and `state != LIVE`, which includes nodes without a state.
    fn enum_compared(
        &mut self,
        operator: &'static str,
        left: &Ast,
        right: &Ast,
    ) -> Result<Option<Typed>, FilterError> {
        let may_name = matches!(operator, "=" | "!=" | "<>") && is_path(right);
        let Some((column, attribute)) = self.enum_of(left)?.filter(|_| may_name) else {
            return Ok(None);
        };
        let number = enum_number(attribute, right)?;
        let symbol = if operator == "=" { "=" } else { "!=" };
        let compared = Expr::Binary(symbol, Box::new(column.clone()), Box::new(Expr::Int(number)));
        let compared = if operator == "=" { compared } else { or_null(compared, column) };
        Ok(Some((compared, Type::Bool)))
    }

    fn is_in(&mut self, of: &Ast, list: &[Ast], negated: bool) -> Resolved {
        let negate = |found: Expr| if negated { Expr::Not(Box::new(found)) } else { found };
        let names_enum = list.iter().any(is_path);
        if let Some((column, attribute)) = self.enum_of(of)?.filter(|_| names_enum) {
            let numbers = list.iter().map(|value| enum_number(attribute, value).map(Expr::Int));
            let numbers = numbers.collect::<Result<_, _>>()?;
            let found = negate(Expr::In(Box::new(column.clone()), numbers));
            return Ok((if negated { or_null(found, column) } else { found }, Type::Bool));
        }
        let all: Vec<&Ast> = std::iter::once(of).chain(list).collect();
        let (mut parts, _) = self.alike(&all, "IN")?;
        let first = parts.remove(0);
        Ok((negate(Expr::In(Box::new(first), parts)), Type::Bool))
    }

    fn case(
        &mut self,
        operand: Option<&Ast>,
        arms: &[(Ast, Ast)],
        otherwise: Option<&Ast>,
    ) -> Resolved {
        let (operand, whens) = if let Some(operand) = operand {
            let all: Vec<&Ast> =
                std::iter::once(operand).chain(arms.iter().map(|(when, _)| when)).collect();
            let (mut parts, _) = self.alike(&all, "CASE")?;
            (Some(Box::new(parts.remove(0))), parts)
        } else {
            let whens = arms.iter().map(|(when, _)| self.condition(when));
            (None, whens.collect::<Result<_, _>>()?)
        };
        let results: Vec<&Ast> = arms.iter().map(|(_, then)| then).chain(otherwise).collect();
        let (mut results, of) = self.alike(&results, "the other results of CASE")?;
        let otherwise = otherwise.and_then(|_| results.pop()).map(Box::new);
        let arms = whens.into_iter().zip(results).collect();
        Ok((Expr::Case { operand, arms, otherwise }, of))
    }

    fn cast(&mut self, of: &Ast, name: &Name, span: &Span) -> Resolved {
        let known = [
            (Type::Int, &["int64", "int32", "uint64", "uint32"][..]),
            (Type::Double, &["float64", "double", "float"]),
            (Type::Text, &["string"]),
            (Type::Bool, &["bool", "boolean"]),
        ];
        let to = known.iter().find(|(_, names)| names.iter().any(|known| name.is_keyword(known)));
        let Some((to, _)) = to else {
            return Err(FilterError::new(
                span.clone(),
                format!("there is no type `{}`", name.text),
            )
            .accepts("`INT64`, `DOUBLE`, `STRING`, `BOOL`"));
        };
        let (expr, from) = self.resolve(of)?;
        let (expr, from) = self.settle(expr, from, *to);
        if (from == Type::Bool && *to == Type::Double)
            || (from == Type::Double && *to == Type::Bool)
        {
            return Err(mismatch(of, from, to.noun()));
        }
        let expr = match fold(&expr, *to) {
            Some(folded) => folded,
            None => Expr::Cast(Box::new(expr), from, *to),
        };
        Ok((expr, *to))
    }

    fn call(&mut self, name: &Name, arguments: &[Ast], span: &Span) -> Resolved {
        if self.language == Language::Graph
            && let Some(traced) = self.trace(name, arguments, span)?
        {
            return Ok(traced);
        }
        let function = functions::find(&name.text).ok_or_else(|| {
            let unknown = format!("there is no function `{}`", name.text);
            FilterError::new(span.clone(), unknown).accepts(functions::all(self.language))
        })?;
        functions::resolve(self, function, arguments, span)
    }

    /// `upstream(condition)`, `downstream(condition, hops <= 4)` and the like about executions.
    fn trace(
        &mut self,
        name: &Name,
        arguments: &[Ast],
        span: &Span,
    ) -> Result<Option<Typed>, FilterError> {
        let Some(kind) = Trace::kind(&name.text) else { return Ok(None) };
        if !matches!(self.node.noun, "artifact" | "execution") {
            let message = format!("{}s have no lineage", self.node.noun);
            return Err(FilterError::new(span.clone(), message)
                .accepts("lineage of artifacts and of executions"));
        }
        let (condition, hops) = match arguments {
            [condition] => (condition, None),
            [condition, hops] => (condition, Some(hops_max(hops)?)),
            _ => {
                return Err(FilterError::new(span.clone(), "a condition is missing")
                    .accepts(format!("`{}(type = 'Dataset', hops <= 10)`", name.text)));
            }
        };
        let filter = Filter::resolve(condition, kind.names, self.language)?;
        self.traces.push(Trace { kind, filter: Box::new(filter), hops });
        Ok(Some((Expr::Traced(self.traces.len() - 1), Type::Bool)))
    }

    fn path(&mut self, names: &[Name], span: &Span) -> Resolved {
        let unknown = |accepted: String| {
            let noun = self.node.noun;
            FilterError::new(span.clone(), format!("no {noun} has `{}`", Words(names)))
                .accepts(accepted)
        };
        let first = &names[0];
        let is_attribute = |attribute: &&Attribute| first.text.eq_ignore_ascii_case(attribute.name);
        if names.len() == 1 {
            if let Some(attribute) = self.node.attributes.iter().find(is_attribute) {
                return Ok(column(None, attribute));
            }
            if first.text.eq_ignore_ascii_case("type") {
                let alias = self.alias(&self.node.type_of, "type", None);
                return Ok(column(Some(alias), &self.node.type_of.attributes[0]));
            }
            return Err(unknown(self.node.accepted()));
        }
        let is_custom = match first.text.as_str() {
            "properties" => Some(false),
            "custom_properties" => Some(true),
            _ => None,
        };
        if let Some(is_custom) = is_custom.filter(|_| !first.quoted) {
            return self.property(names, is_custom, span);
        }
        let is_prefix = |neighbour: &&Neighbour| {
            first.text.strip_prefix(neighbour.prefix).is_some_and(|name| !name.is_empty())
        };
        let neighbour = self.node.neighbours.iter().find(is_prefix).filter(|_| !first.quoted);
        let neighbour = neighbour.ok_or_else(|| unknown(self.node.accepted()))?;
        let field = &names[1];
        let is_field =
            |of: &&Attribute| names.len() == 2 && field.text.eq_ignore_ascii_case(of.name);
        let attribute = neighbour.attributes.iter().find(is_field).ok_or_else(|| {
            let fields: Vec<String> = neighbour
                .attributes
                .iter()
                .map(|attribute| format!("`{}.{}`", first.text, attribute.name))
                .collect();
            unknown(fields.join(", "))
        })?;
        let alias = self.alias(neighbour, &first.text, None);
        self.aliases[alias].uses_type |= attribute.needs_type;
        Ok(column(Some(alias), attribute))
    }

    fn property(&mut self, names: &[Name], is_custom: bool, span: &Span) -> Resolved {
        let property = &self.node.property;
        let value = |field: &&Name| {
            property.attributes.iter().find(|of| !field.quoted && field.text == of.name)
        };
        let attribute = match names {
            [_, _, field] => value(&field),
            _ => None,
        };
        if let Some(attribute) = attribute {
            let alias = self.alias(property, &names[1].text, Some(is_custom));
            return Ok(column(Some(alias), attribute));
        }
        if names.len() == 2 && self.language == Language::Graph {
            let alias = self.alias(property, &names[1].text, Some(is_custom));
            return Ok((Expr::Property(alias), Type::Any));
        }
        let fields: Vec<String> = property
            .attributes
            .iter()
            .map(|attribute| format!("`{}.{}`", Words(&names[..2]), attribute.name))
            .collect();
        Err(FilterError::new(span.clone(), format!("`{}` names no value", Words(names)))
            .accepts(fields.join(", ")))
    }

    fn alias(
        &mut self,
        neighbour: &'static Neighbour,
        name: &str,
        is_custom: Option<bool>,
    ) -> usize {
        let same = |alias: &Alias| {
            alias.name == name
                && alias.is_custom == is_custom
                && alias.neighbour.prefix == neighbour.prefix
        };
        self.aliases.iter().position(same).unwrap_or_else(|| {
            let name = name.to_owned();
            self.aliases.push(Alias { neighbour, name, is_custom, uses_type: false });
            self.aliases.len() - 1
        })
    }
}

fn is_path(ast: &Ast) -> bool {
    matches!(ast.kind, Kind::Path(_))
}

fn column(alias: Option<usize>, attribute: &'static Attribute) -> Typed {
    (Expr::Column(Column { alias, attribute }), attribute.of)
}

/// What NOT IN and != on an enum mean in MLMD: nodes without a value count.
fn or_null(condition: Expr, column: Expr) -> Expr {
    Expr::Or(vec![condition, Expr::Is(Box::new(column), None)])
}

fn enum_number(attribute: &Attribute, ast: &Ast) -> Result<i64, FilterError> {
    let name = match &ast.kind {
        Kind::Path(names) if names.len() == 1 => names[0].text.as_str(),
        _ => "",
    };
    let known = attribute.names.map(|names| names()).unwrap_or_default();
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, number)| *number).ok_or_else(|| {
        FilterError::new(ast.span.clone(), format!("this is no `{}`", attribute.name))
            .accepts(spelt(&known))
    })
}

fn enum_of_column(expr: &Expr) -> Option<EnumNames> {
    match expr {
        Expr::Column(column) => column.attribute.names,
        _ => None,
    }
}

fn spelt(names: &[(&str, i64)]) -> String {
    names.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What a literal is as another type. MLMD's parser rounds one where its database cuts a column's
/// value off.
fn fold(literal: &Expr, to: Type) -> Option<Expr> {
    match (literal, to) {
        #[allow(clippy::cast_possible_truncation)]
        (Expr::Double(value), Type::Int) => Some(Expr::Int(value.round() as i64)),
        (Expr::Double(value), Type::Text) => Some(Expr::Text(value.to_string())),
        (Expr::Text(text), Type::Int) => {
            let digits = text.strip_prefix("0x").or(text.strip_prefix("0X"));
            let digits = digits.filter(|digits| !digits.starts_with(['+', '-']));
            let value = match digits {
                Some(digits) => i64::from_str_radix(digits, 16),
                None => text.parse(),
            };
            value.ok().map(Expr::Int)
        }
        _ => None,
    }
}

fn hops_max(ast: &Ast) -> Result<u32, FilterError> {
    if let Kind::Binary("<=", left, right) = &ast.kind
        && let (Kind::Path(names), Kind::Int(hops)) = (&left.kind, &right.kind)
        && names.len() == 1
        && names[0].is_keyword("hops")
        && let Ok(hops) = u32::try_from(*hops)
    {
        return Ok(hops);
    }
    Err(FilterError::new(ast.span.clone(), "this is no limit of hops").accepts("`hops <= 10`"))
}

/// A value that a page token can hold: truth values are numbers there, and texts what they are
/// sorted by.
fn sortable((expr, of): Typed) -> Expr {
    match of {
        Type::Bool => Expr::Cast(Box::new(expr), of, Type::Int),
        Type::Text => Expr::Cast(Box::new(expr), of, Type::Any),
        _ => expr,
    }
}

/// A calculation with integers; those within it go on without bounds.
fn whole(operator: &'static str, left: Expr, right: Expr) -> Expr {
    let within = |part| match part {
        Expr::Bounded(of) => of,
        other => Box::new(other),
    };
    Expr::Bounded(Box::new(Expr::Whole(operator, within(left), within(right))))
}

fn reject_null(ast: &Ast, operator: &str) -> Result<(), FilterError> {
    if ast.kind != Kind::Null {
        return Ok(());
    }
    Err(FilterError::new(ast.span.clone(), format!("`{operator}` cannot have the literal `NULL`"))
        .accepts("`IS NULL` and `IS NOT NULL`"))
}

pub(crate) fn mismatch(ast: &Ast, found: Type, wanted: &str) -> FilterError {
    FilterError::new(ast.span.clone(), format!("this is {}", found.noun())).accepts(wanted)
}
