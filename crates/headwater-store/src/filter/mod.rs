//! The filter language: a condition on artifacts, executions or contexts, over their attributes,
//! properties and neighbours.
//!
//! ```text
//! text ── lex ──► tokens ── parse ──► tree ── resolve ──► Filter ── lower ──► SQL, values bound
//! ```
//!
//! [`Language::Contract`] is what MLMD's `filter_query` means, [`Language::Graph`] that of
//! `headwater.v1`. `docs/reference/filter.md` is the language for people. Pure.

mod candidates;
mod functions;
#[cfg(test)]
mod golden;
mod lex;
pub(crate) mod lower;
mod names;
mod parse;
mod resolve;

use std::ops::Range;

use crate::error::{Error, invalid};
use crate::limits::{
    FILTER_CONDITIONS_MAX, FILTER_NEIGHBOURS_MAX, FILTER_SHOWN_MAX, FILTER_TRACES_MAX,
    ORDER_KEYS_MAX,
};
use names::NodeNames;
use parse::Ast;
use resolve::{Alias, Expr, Resolver};

/// What a filter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// `filter_query` of the contract, as MLMD has it: a node matches only if it has every property
    /// and neighbour that the filter mentions, wherever that is.
    Contract,
    /// The filters of `headwater.v1`: what a node does not have is `NULL`, a property's value needs
    /// no type, and there are conditions on the lineage.
    Graph,
}

/// A condition whose names and types are known.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    node: &'static NodeNames,
    language: Language,
    condition: Expr,
    aliases: Vec<Alias>,
    pub(crate) traces: Vec<Trace>,
}

/// A condition on what a node comes from or led to.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) kind: &'static TraceKind,
    /// The condition on the other node.
    pub(crate) filter: Box<Filter>,
    /// Events between the two nodes, at most.
    pub(crate) hops: Option<u32>,
}

/// Where a trace goes and what it looks for.
#[derive(Debug)]
pub(crate) struct TraceKind {
    name: &'static str,
    pub(crate) upstream: bool,
    pub(crate) of_artifacts: bool,
    names: &'static NodeNames,
}

static TRACES: [TraceKind; 4] = [
    TraceKind { name: "upstream", upstream: true, of_artifacts: true, names: &names::ARTIFACT },
    TraceKind { name: "downstream", upstream: false, of_artifacts: true, names: &names::ARTIFACT },
    TraceKind {
        name: "upstream_execution",
        upstream: true,
        of_artifacts: false,
        names: &names::EXECUTION,
    },
    TraceKind {
        name: "downstream_execution",
        upstream: false,
        of_artifacts: false,
        names: &names::EXECUTION,
    },
];

impl Trace {
    fn kind(name: &str) -> Option<&'static TraceKind> {
        TRACES.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }
}

impl Filter {
    /// Reads a filter on nodes of the kind with this noun.
    pub(crate) fn parse(text: &str, noun: &str, language: Language) -> Result<Self, Error> {
        let read = || Self::resolve(&parse::parse(text)?, node_names(noun), language);
        read().map_err(|error| error.show("filter", text))
    }

    fn resolve(
        ast: &Ast,
        node: &'static NodeNames,
        language: Language,
    ) -> Result<Self, FilterError> {
        let mut resolver = Resolver { node, language, aliases: Vec::new(), traces: Vec::new() };
        let condition = resolver.whole(ast)?;
        let Resolver { aliases, traces, .. } = resolver;
        if aliases.len() > FILTER_NEIGHBOURS_MAX {
            let message = format!("it mentions {} properties and neighbours", aliases.len());
            return Err(FilterError::new(ast.span.clone(), message)
                .accepts(format!("at most {FILTER_NEIGHBOURS_MAX}")));
        }
        let n_conditions = lower::conjuncts(&condition).len();
        if n_conditions > FILTER_CONDITIONS_MAX {
            let message = format!("it has {n_conditions} conditions that must all hold");
            return Err(FilterError::new(ast.span.clone(), message)
                .accepts(format!("at most {FILTER_CONDITIONS_MAX}, or `IN` with a list")));
        }
        let filter = Self { node, language, condition, aliases, traces };
        if filter.n_traces() > FILTER_TRACES_MAX {
            let message = format!("it follows lineage {} times", filter.n_traces());
            return Err(FilterError::new(ast.span.clone(), message)
                .accepts(format!("at most {FILTER_TRACES_MAX} times")));
        }
        Ok(filter)
    }

    /// Conditions on lineage, those within others included.
    fn n_traces(&self) -> usize {
        self.traces.iter().map(|trace| 1 + trace.filter.n_traces()).sum()
    }
}

/// What a list is ordered by.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The properties that the keys mention, in a filter without a condition.
    named: Filter,
    pub(crate) keys: Vec<OrderKey>,
}

/// One value that a list is ordered by.
#[derive(Clone, Debug)]
pub(crate) struct OrderKey {
    value: Expr,
    pub(crate) ascending: bool,
}

impl Order {
    /// Reads expressions with `ASC` or `DESC`, on nodes of the kind with this noun.
    pub(crate) fn parse(text: &str, noun: &str) -> Result<Self, Error> {
        Self::read(text, node_names(noun)).map_err(|error| error.show("order", text))
    }

    fn read(text: &str, node: &'static NodeNames) -> Result<Self, FilterError> {
        let language = Language::Graph;
        let mut resolver = Resolver { node, language, aliases: Vec::new(), traces: Vec::new() };
        let mut keys = Vec::new();
        for (ast, ascending) in parse::parse_order(text)? {
            for value in resolver.order_key(&ast)? {
                keys.push(OrderKey { value, ascending });
            }
            if keys.len() > ORDER_KEYS_MAX {
                return Err(FilterError::new(ast.span, "it has too many values")
                    .accepts(format!("at most {ORDER_KEYS_MAX}")));
            }
        }
        let Resolver { aliases, traces, .. } = resolver;
        let condition = Expr::Bool(true);
        Ok(Self { named: Filter { node, language, condition, aliases, traces }, keys })
    }

    /// The one attribute of the node that the list is ordered by, if that is all.
    pub(crate) fn attribute(&self) -> Option<(&'static str, bool)> {
        match &self.keys[..] {
            [OrderKey { value: Expr::Column(column), ascending }] if column.alias.is_none() => {
                Some((column.attribute.name, *ascending))
            }
            _ => None,
        }
    }
}

fn node_names(noun: &str) -> &'static NodeNames {
    match noun {
        "artifact" => &names::ARTIFACT,
        "execution" => &names::EXECUTION,
        _ => &names::CONTEXT,
    }
}

/// What is wrong with a filter, and where.
#[derive(Debug)]
pub(crate) struct FilterError {
    span: Range<usize>,
    message: String,
    accepts: String,
}

impl FilterError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), accepts: String::new() }
    }

    /// What would have been right.
    fn accepts(mut self, accepts: impl Into<String>) -> Self {
        self.accepts = accepts.into();
        self
    }

    /// The error for the caller: the line of the filter, and carets under what is wrong.
    fn show(self, what: &str, text: &str) -> Error {
        let start = self.span.start.min(text.len());
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let before = text[line_start..start].chars().count();
        let marked = text[start..self.span.end.clamp(start, line_end)].chars().count().max(1);
        // Of a long line, what is around the place.
        let from = before.saturating_sub(FILTER_SHOWN_MAX / 2);
        let shown: String =
            text[line_start..line_end].chars().skip(from).take(FILTER_SHOWN_MAX).collect();
        let shown = shown.replace(char::is_control, " ");
        let carets = "^".repeat(marked.min(FILTER_SHOWN_MAX - (before - from)).max(1));
        let indent = " ".repeat(before - from);
        let plain = |text: &str| text.replace(|c: char| c.is_control(), "\u{fffd}");
        let message = plain(&self.message);
        let message = format!("the {what} is not valid: {message}\n  {shown}\n  {indent}{carets}");
        let error = invalid(message);
        if self.accepts.is_empty() {
            error
        } else {
            error.hint(format!("accepted: {}", plain(&self.accepts)))
        }
    }
}
