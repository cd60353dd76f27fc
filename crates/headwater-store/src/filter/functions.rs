//! The functions of the filter language: those of GoogleSQL that people filter with.

use super::lex::Span;
use super::parse::Ast;
use super::resolve::{Expr, Resolver, Type, mismatch};
use super::{FilterError, Language};

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    arguments: Arguments,
    /// What it answers; that of its arguments if this is `None`.
    result: Option<Type>,
    pub(crate) sql: Sql,
}

impl Function {
    /// How many arguments it takes at least.
    pub(crate) fn least(&self) -> usize {
        match self.arguments {
            Arguments::Fixed(types, optional) => types.len() - optional,
            Arguments::Alike { after, least, .. } => after.len() + least,
        }
    }

    /// Whether it may have a value where an argument has none.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self.name, "COALESCE" | "IFNULL" | "NULLIF" | "IF")
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a function takes.
#[derive(Debug)]
enum Arguments {
    /// These, of which the last few may be left out.
    Fixed(&'static [Type], usize),
    /// Two or more of one type after as many of fixed types; numbers only or anything.
    Alike { after: &'static [Type], least: usize, most: usize, numbers: bool },
}

/// How a call is written in SQL.
#[derive(Debug)]
pub(crate) enum Sql {
    /// `$1` stands for the first argument; one text for each number of arguments.
    Text(&'static [&'static str]),
    /// `$*` stands for the arguments one after the other, with the second text between them.
    Joined(&'static str, &'static str),
}

macro_rules! functions {
    ($($name:literal ($($argument:ident),*; $optional:literal) $result:ident $sql:expr;)*) => {
        &[$(Function {
            name: $name,
            arguments: Arguments::Fixed(&[$(Type::$argument),*], $optional),
            result: Some(Type::$result),
            sql: Sql::Text(&$sql),
        }),*]
    };
}

const FIXED: &[Function] = functions! {
    "LOWER" (Text; 0) Text ["LOWER($1)"];
    "UPPER" (Text; 0) Text ["UPPER($1)"];
    "LENGTH" (Text; 0) Int ["LENGTH($1)"];
    "CHAR_LENGTH" (Text; 0) Int ["LENGTH($1)"];
    "SUBSTR" (Text, Int, Int; 1) Text ["SUBSTR($1, $2)", "SUBSTR($1, $2, $3)"];
    "TRIM" (Text, Text; 1) Text ["TRIM($1)", "TRIM($1, $2)"];
    "LTRIM" (Text, Text; 1) Text ["LTRIM($1)", "LTRIM($1, $2)"];
    "RTRIM" (Text, Text; 1) Text ["RTRIM($1)", "RTRIM($1, $2)"];
    "REPLACE" (Text, Text, Text; 0) Text ["REPLACE($1, $2, $3)"];
    "STARTS_WITH" (Text, Text; 0) Bool ["(SUBSTR($1, 1, LENGTH($2)) = $2)"];
    "ENDS_WITH" (Text, Text; 0) Bool
        ["(LENGTH($1) >= LENGTH($2) AND SUBSTR($1, LENGTH($1) - LENGTH($2) + 1) = $2)"];
    "STRPOS" (Text, Text; 0) Int ["INSTR($1, $2)"];
    "ROUND" (Double, Int; 1) Double ["ROUND($1)", "ROUND($1, $2)"];
    "MOD" (Int, Int; 0) Int ["($1 % NULLIF($2, 0))"];
    "DIV" (Int, Int; 0) Int ["($1 / NULLIF($2, 0))"];
};

const fn alike(name: &'static str, least: usize, most: usize, numbers: bool, sql: Sql) -> Function {
    let arguments = Arguments::Alike { after: &[], least, most, numbers };
    Function { name, arguments, result: None, sql }
}

const MANY: usize = 100;

const ALIKE: &[Function] = &[
    alike("ABS", 1, 1, true, Sql::Text(&["ABS($1)"])),
    alike("SIGN", 1, 1, true, Sql::Text(&["SIGN($1)"])),
    alike("IFNULL", 2, 2, false, Sql::Text(&["COALESCE($1, $2)"])),
    alike("NULLIF", 2, 2, false, Sql::Text(&["NULLIF($1, $2)"])),
    alike("COALESCE", 2, MANY, false, Sql::Joined("COALESCE($*)", ", ")),
    alike("GREATEST", 2, MANY, false, Sql::Joined("MAX($*)", ", ")),
    alike("LEAST", 2, MANY, false, Sql::Joined("MIN($*)", ", ")),
    Function {
        name: "IF",
        arguments: Arguments::Alike { after: &[Type::Bool], least: 2, most: 2, numbers: false },
        result: None,
        sql: Sql::Text(&["CASE WHEN $1 THEN $2 ELSE $3 END"]),
    },
    Function {
        name: "CONCAT",
        arguments: Arguments::Fixed(&[Type::Text; MANY], MANY - 1),
        result: Some(Type::Text),
        sql: Sql::Joined("($*)", " || "),
    },
];

/// The function of this name, in any case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FIXED.iter().chain(ALIKE).find(|function| function.name.eq_ignore_ascii_case(name))
}

/// The names of all functions, for messages.
pub(crate) fn all(language: Language) -> String {
    let functions = FIXED.iter().chain(ALIKE).map(|function| function.name);
    let traces = super::TRACES.iter().map(|kind| kind.name).filter(|_| language == Language::Graph);
    functions.chain(traces).collect::<Vec<_>>().join(", ")
}

/// A call with arguments that fit.
pub(crate) fn resolve(
    resolver: &mut Resolver,
    function: &'static Function,
    arguments: &[Ast],
    span: &Span,
) -> Result<(Expr, Type), FilterError> {
    let least = function.least();
    let (fixed, most) = match function.arguments {
        Arguments::Fixed(types, _) => (types, types.len()),
        Arguments::Alike { after, most, .. } => (after, after.len() + most),
    };
    if !(least..=most).contains(&arguments.len()) {
        let message = format!("`{}` does not take {} values", function.name, arguments.len());
        let takes = if least == most { least.to_string() } else { format!("{least} to {most}") };
        return Err(FilterError::new(span.clone(), message).accepts(takes));
    }
    let mut exprs = Vec::with_capacity(arguments.len());
    for (argument, wanted) in arguments.iter().zip(fixed) {
        exprs.push(resolver.argument(argument, *wanted)?);
    }
    let rest: Vec<&Ast> = arguments.iter().skip(fixed.len()).collect();
    let (rest_exprs, common) = resolver.alike(&rest, function.name)?;
    if let (Arguments::Alike { numbers: true, .. }, Some(first)) =
        (&function.arguments, rest.first())
        && !matches!(common, Type::Int | Type::Double | Type::Null)
    {
        return Err(mismatch(first, common, "a number"));
    }
    exprs.extend(rest_exprs);
    Ok((Expr::Call(function, exprs), function.result.unwrap_or(common)))
}
