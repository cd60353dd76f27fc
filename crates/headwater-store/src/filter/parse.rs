//! Tokens of a filter into a tree, and the tree into text again. The precedence of the operators
//! is that of MLMD's parser (GoogleSQL); comparisons do not chain.

use std::fmt;

use super::FilterError;
use super::lex::{Name, Span, Token, lex};
use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX};

/// A part of a filter and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ast {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// Parts below this one, at most [`FILTER_DEPTH_MAX`].
    depth: usize,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(u64),
    Double(f64),
    Text(String),
    Path(Vec<Name>),
    /// `-`, `+`, `~` or `NOT` before an operand.
    Unary(&'static str, Box<Ast>),
    /// An arithmetic operator, a comparison or `LIKE` between two operands.
    Binary(&'static str, Box<Ast>, Box<Ast>),
    And(Vec<Ast>),
    Or(Vec<Ast>),
    /// Whether it is `NOT IN` comes last: on an enum that is not `NOT (.. IN ..)`.
    In(Box<Ast>, Vec<Ast>, bool),
    Between(Box<Ast>, Box<Ast>, Box<Ast>),
    /// `NULL`, `UNKNOWN`, `TRUE` or `FALSE` after `IS`.
    Is(Box<Ast>, &'static str),
    Case {
        operand: Option<Box<Ast>>,
        arms: Vec<(Ast, Ast)>,
        otherwise: Option<Box<Ast>>,
    },
    Cast(Box<Ast>, Name),
    Call(Name, Vec<Ast>),
}

/// Operators of two operands by how tightly they bind, loosest first. Those of the first row do
/// not chain.
const BINARY: &[&[&str]] = &[
    &["=", "!=", "<>", "<=", ">=", "<", ">"],
    &["|"],
    &["^"],
    &["&"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "||"],
];

/// Words that are never the name of an attribute.
const RESERVED: &[&str] = &[
    "and", "between", "case", "cast", "else", "end", "false", "in", "is", "like", "not", "null",
    "or", "then", "true", "when",
];

/// Reads a filter.
pub(crate) fn parse(text: &str) -> Result<Ast, FilterError> {
    let mut parser = Parser::new(text)?;
    let ast = parser.expression()?;
    parser.end()?;
    Ok(ast)
}

/// Reads what a list is ordered by: expressions, each with `ASC` or `DESC` after it.
pub(crate) fn parse_order(text: &str) -> Result<Vec<(Ast, bool)>, FilterError> {
    let mut parser = Parser::new(text)?;
    let mut keys = Vec::new();
    loop {
        let key = parser.expression()?;
        let ascending = parser.keyword("asc") || !parser.keyword("desc");
        keys.push((key, ascending));
        if !parser.symbol(",") {
            parser.end()?;
            return Ok(keys);
        }
    }
}

struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    nesting: usize,
}

type Parsed = Result<Ast, FilterError>;

impl Parser {
    fn new(text: &str) -> Result<Self, FilterError> {
        if text.len() > FILTER_BYTES_MAX {
            let message = format!("it is longer than {} KiB", FILTER_BYTES_MAX >> 10);
            return Err(FilterError::new(0..0, message).accepts("a shorter one, or several lists"));
        }
        Ok(Self { tokens: lex(text)?, at: 0, nesting: 0 })
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Span {
        self.tokens[self.at].1.clone()
    }

    fn advance(&mut self) {
        // The last token is the end, and nobody goes past it.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(other) if *other == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        match self.peek() {
            Token::Path(names) => names.len() == 1 && names[0].is_keyword(keyword),
            _ => false,
        }
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    fn unexpected(&self, accepts: &str) -> FilterError {
        let found = match self.peek() {
            Token::End => "it ends too early".to_owned(),
            Token::Path(names) => format!("`{}` does not belong here", Words(names)),
            Token::Symbol(symbol) => format!("`{symbol}` does not belong here"),
            _ => "this value does not belong here".to_owned(),
        };
        FilterError::new(self.span(), found).accepts(accepts)
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), FilterError> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn expect_keyword(&mut self, keyword: &'static str) -> Result<(), FilterError> {
        let missing = keyword.to_uppercase();
        if self.keyword(keyword) { Ok(()) } else { Err(self.unexpected(&format!("`{missing}`"))) }
    }

    fn end(&self) -> Result<(), FilterError> {
        match self.peek() {
            Token::End => Ok(()),
            _ => Err(self.unexpected("an operator such as `AND` or `=`, or the end")),
        }
    }

    /// Makes a part of what was read since `start`.
    fn node(&self, kind: Kind, start: usize) -> Parsed {
        let span = start..self.tokens[self.at.saturating_sub(1)].1.end;
        let below = kind.parts().iter().map(|part| part.depth).max().unwrap_or(0);
        if below >= FILTER_DEPTH_MAX {
            return Err(too_deep(span));
        }
        Ok(Ast { kind, span, depth: below + 1 })
    }

    /// Goes one level down, so that no filter can use the stack up.
    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.nesting >= FILTER_DEPTH_MAX {
            return Err(too_deep(self.span()));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed {
        self.nested(|parser| {
            parser.chain("or", Kind::Or, |parser| parser.chain("and", Kind::And, Self::negation))
        })
    }

    fn chain(
        &mut self,
        keyword: &str,
        of: fn(Vec<Ast>) -> Kind,
        operand: impl Fn(&mut Self) -> Parsed,
    ) -> Parsed {
        let start = self.span().start;
        let mut operands = vec![operand(self)?];
        while self.keyword(keyword) {
            operands.push(operand(self)?);
        }
        match operands.len() {
            1 => Ok(operands.remove(0)),
            _ => self.node(of(operands), start),
        }
    }

    fn negation(&mut self) -> Parsed {
        let start = self.span().start;
        if !self.keyword("not") {
            return self.comparison();
        }
        let operand = self.nested(Self::negation)?;
        self.node(Kind::Unary("NOT", Box::new(operand)), start)
    }

    fn comparison(&mut self) -> Parsed {
        let start = self.span().start;
        let left = self.binary(1)?;
        if let Token::Symbol(symbol) = *self.peek()
            && BINARY[0].contains(&symbol)
        {
            self.advance();
            let right = self.binary(1)?;
            return self.node(Kind::Binary(symbol, Box::new(left), Box::new(right)), start);
        }
        if self.keyword("is") {
            return self.is(left, start);
        }
        let negated = self.keyword("not");
        let compared = if self.keyword("like") {
            let pattern = self.binary(1)?;
            self.node(Kind::Binary("LIKE", Box::new(left), Box::new(pattern)), start)?
        } else if self.keyword("in") {
            self.expect("(")?;
            let list = self.list()?;
            return self.node(Kind::In(Box::new(left), list, negated), start);
        } else if self.keyword("between") {
            let low = self.binary(1)?;
            self.expect_keyword("and")?;
            let high = self.binary(1)?;
            self.node(Kind::Between(Box::new(left), Box::new(low), Box::new(high)), start)?
        } else if negated {
            return Err(self.unexpected("`LIKE`, `IN` or `BETWEEN`"));
        } else {
            return Ok(left);
        };
        if negated {
            return self.node(Kind::Unary("NOT", Box::new(compared)), start);
        }
        Ok(compared)
    }

    fn is(&mut self, operand: Ast, start: usize) -> Parsed {
        let negated = self.keyword("not");
        let what = ["NULL", "UNKNOWN", "TRUE", "FALSE"].into_iter().find(|of| self.keyword(of));
        let Some(what) = what else {
            return Err(self.unexpected("`NULL`, `TRUE` or `FALSE`"));
        };
        let is = self.node(Kind::Is(Box::new(operand), what), start)?;
        if negated { self.node(Kind::Unary("NOT", Box::new(is)), start) } else { Ok(is) }
    }

    /// Operators from this row of the table on, which chain from the left.
    fn binary(&mut self, row_min: usize) -> Parsed {
        let start = self.span().start;
        let mut left = self.unary()?;
        while let Token::Symbol(symbol) = *self.peek()
            && let Some(row) = BINARY.iter().position(|symbols| symbols.contains(&symbol))
            && row >= row_min
        {
            self.advance();
            let right = self.binary(row + 1)?;
            left = self.node(Kind::Binary(symbol, Box::new(left), Box::new(right)), start)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.span().start;
        let sign = ["-", "+", "~"].into_iter().find(|sign| self.symbol(sign));
        let Some(sign) = sign else { return self.primary() };
        let operand = self.nested(Self::unary)?;
        self.node(Kind::Unary(sign, Box::new(operand)), start)
    }

    fn primary(&mut self) -> Parsed {
        let start = self.span().start;
        let kind = match self.peek().clone() {
            Token::Int(value) => Kind::Int(value),
            Token::Double(value) => Kind::Double(value),
            Token::Text(value) => Kind::Text(value),
            Token::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Path(names) => return self.path(names, start),
            _ => return Err(self.unexpected("an attribute, a value or `(`")),
        };
        self.advance();
        self.node(kind, start)
    }

    fn path(&mut self, names: Vec<Name>, start: usize) -> Parsed {
        let word = &names[0];
        let keyword = |keyword| names.len() == 1 && word.is_keyword(keyword);
        let literal = match () {
            () if keyword("null") => Some(Kind::Null),
            () if keyword("true") => Some(Kind::Bool(true)),
            () if keyword("false") => Some(Kind::Bool(false)),
            () if keyword("case") => return self.nested(|parser| parser.case(start)),
            () if keyword("cast") => return self.nested(|parser| parser.cast(start)),
            () => None,
        };
        let reserved = names.len() == 1 && RESERVED.iter().any(|of| word.is_keyword(of));
        if literal.is_none() && reserved {
            return Err(self.unexpected("an attribute, a value or `(`"));
        }
        self.advance();
        if let Some(literal) = literal {
            return self.node(literal, start);
        }
        if names.len() > 1 || !self.symbol("(") {
            return self.node(Kind::Path(names), start);
        }
        let arguments = if self.symbol(")") { Vec::new() } else { self.nested(Self::list)? };
        self.node(Kind::Call(word.clone(), arguments), start)
    }

    /// Expressions up to the closing parenthesis.
    fn list(&mut self) -> Result<Vec<Ast>, FilterError> {
        let mut list = vec![self.expression()?];
        while self.symbol(",") {
            list.push(self.expression()?);
        }
        self.expect(")")?;
        Ok(list)
    }

    fn case(&mut self, start: usize) -> Parsed {
        self.advance();
        let operand = if self.is_keyword("when") { None } else { Some(self.expression()?) };
        let mut arms = Vec::new();
        while self.keyword("when") {
            let when = self.expression()?;
            self.expect_keyword("then")?;
            arms.push((when, self.expression()?));
        }
        if arms.is_empty() {
            return Err(self.unexpected("`WHEN`"));
        }
        let otherwise = if self.keyword("else") { Some(self.expression()?) } else { None };
        self.expect_keyword("end")?;
        let kind =
            Kind::Case { operand: operand.map(Box::new), arms, otherwise: otherwise.map(Box::new) };
        self.node(kind, start)
    }

    fn cast(&mut self, start: usize) -> Parsed {
        self.advance();
        self.expect("(")?;
        let operand = self.expression()?;
        self.expect_keyword("as")?;
        let of = match self.peek() {
            Token::Path(names) if names.len() == 1 => names[0].clone(),
            _ => return Err(self.unexpected("the name of a type")),
        };
        self.advance();
        self.expect(")")?;
        self.node(Kind::Cast(Box::new(operand), of), start)
    }
}

fn too_deep(span: Span) -> FilterError {
    FilterError::new(span, format!("it is nested more than {FILTER_DEPTH_MAX} deep"))
        .accepts("fewer parentheses, signs and operators within each other")
}

impl Ast {
    /// Whether the trees are the same, wherever their parts stand in the text.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (own, others) = (self.kind.parts(), other.kind.parts());
        let alike = match (&self.kind, &other.kind) {
            (Kind::Double(a), Kind::Double(b)) => a.to_bits() == b.to_bits(),
            (Kind::Unary(a, _), Kind::Unary(b, _)) => a == b,
            (Kind::Binary(a, ..), Kind::Binary(b, ..)) => a == b,
            (Kind::In(_, _, a), Kind::In(_, _, b)) => a == b,
            (Kind::Is(_, a), Kind::Is(_, b)) => a == b,
            (Kind::Cast(_, a), Kind::Cast(_, b)) => a == b,
            (Kind::Call(a, _), Kind::Call(b, _)) => a == b,
            (a, b) if own.is_empty() => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        alike && own.len() == others.len() && own.iter().zip(others).all(|(a, b)| a.is_same(b))
    }
}

impl Kind {
    /// The parts directly below.
    pub(crate) fn parts(&self) -> Vec<&Ast> {
        match self {
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Double(_) => Vec::new(),
            Kind::Text(_) | Kind::Path(_) => Vec::new(),
            Kind::Unary(_, of) | Kind::Is(of, _) | Kind::Cast(of, _) => vec![of],
            Kind::Binary(_, left, right) => vec![left, right],
            Kind::And(parts) | Kind::Or(parts) | Kind::Call(_, parts) => parts.iter().collect(),
            Kind::In(of, list, _) => std::iter::once(&**of).chain(list).collect(),
            Kind::Between(of, low, high) => vec![of, low, high],
            Kind::Case { operand, arms, otherwise } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                operand.as_deref().into_iter().chain(arms).chain(otherwise.as_deref()).collect()
            }
        }
    }
}

/// The names of a path, as they are written.
pub(crate) struct Words<'n>(pub(crate) &'n [Name]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { "." } else { "" })?;
            if name.quoted {
                write!(f, "`{}`", Escaped(&name.text, '`'))?;
            } else {
                f.write_str(&name.text)?;
            }
        }
        Ok(())
    }
}

/// A text with what a literal cannot hold as it is written as an escape.
struct Escaped<'t>(&'t str, char);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                c if c == self.1 => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\U{:08x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

struct List<'a>(&'a [Ast], &'static str);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { self.1 } else { "" })?;
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

/// The text that reads as this tree, with every operation in parentheses.
impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Null => f.write_str("NULL"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Int(value) => write!(f, "{value}"),
            // A double that is too large to be finite reads as an infinite one.
            Kind::Double(value) if value.is_infinite() => f.write_str("1e999"),
            Kind::Double(value) => write!(f, "{value:?}"),
            Kind::Text(value) => write!(f, "'{}'", Escaped(value, '\'')),
            Kind::Path(names) => Words(names).fmt(f),
            Kind::Unary(operator, of) => write!(f, "({operator} {of})"),
            Kind::Binary(operator, left, right) => write!(f, "({left} {operator} {right})"),
            Kind::And(parts) => write!(f, "({})", List(parts, " AND ")),
            Kind::Or(parts) => write!(f, "({})", List(parts, " OR ")),
            Kind::In(of, list, negated) => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "({of} {not}IN ({}))", List(list, ", "))
            }
            Kind::Between(of, low, high) => write!(f, "({of} BETWEEN {low} AND {high})"),
            Kind::Is(of, what) => write!(f, "({of} IS {what})"),
            Kind::Case { operand, arms, otherwise } => {
                f.write_str("CASE")?;
                operand.iter().try_for_each(|operand| write!(f, " {operand}"))?;
                arms.iter().try_for_each(|(when, then)| write!(f, " WHEN {when} THEN {then}"))?;
                otherwise.iter().try_for_each(|otherwise| write!(f, " ELSE {otherwise}"))?;
                f.write_str(" END")
            }
            Kind::Cast(of, name) => {
                write!(f, "CAST({of} AS {})", Words(std::slice::from_ref(name)))
            }
            Kind::Call(name, arguments) => {
                write!(f, "{}({})", Words(std::slice::from_ref(name)), List(arguments, ", "))
            }
        }
    }
}
