//! Text of a filter into tokens, with where each stands. The forms of literals, comments and names
//! are those of the SQL dialect that MLMD parses filters with (GoogleSQL).

use std::ops::Range;

use super::FilterError;

/// Where something stands in the text, in bytes.
pub(crate) type Span = Range<usize>;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// A word or a path of names joined by dots, as in `properties.x.int_value`.
    Path(Vec<Name>),
    Int(u64),
    Double(f64),
    Text(String),
    /// An operator, a parenthesis or a comma.
    Symbol(&'static str),
    End,
}

/// One name of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    /// Whether it stood in backquotes, and so is no keyword.
    pub(crate) quoted: bool,
}

impl Name {
    pub(crate) fn is_keyword(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }
}

/// For messages.
const ESCAPES: &str =
    r#"`\\`, `\'`, `\"`, `` \` ``, `\n`, `\r`, `\t`, `\x41`, `\u00e9`, `\101`; `r'..'` has none"#;

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: &[&str] = &[
    "<=", ">=", "<>", "!=", "<<", ">>", "||", "=", "<", ">", "+", "-", "*", "/", "|", "&", "^",
    "~", "(", ")", ",",
];

/// Splits a filter into tokens. The last one is [`Token::End`].
pub(crate) fn lex(text: &str) -> Result<Vec<(Token, Span)>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let start = lexer.at;
        let token = lexer.token()?;
        let ended = token == Token::End;
        tokens.push((token, start..lexer.at));
        if ended {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, of: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Passes over blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), FilterError> {
        loop {
            self.take_while(is_blank);
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("--") {
                self.take_while(|c| c != '\n' && c != '\r');
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or_else(|| {
                    let span = self.at..self.at + 2;
                    FilterError::new(span, "the comment has no end").accepts("`*/` closes it")
                })?;
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Token, FilterError> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        if let Some(text) = self.string()? {
            return Ok(Token::Text(text));
        }
        let begins_fraction = self
            .rest()
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if first.is_ascii_digit() || begins_fraction {
            return self.number();
        }
        if is_word(first) || first == '`' {
            return self.path();
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol)) {
            self.at += symbol.len();
            return Ok(Token::Symbol(symbol));
        }
        let span = self.at..self.at + first.len_utf8();
        Err(FilterError::new(span, format!("`{first}` is no part of the language")).accepts(
            "a name with other characters than letters, digits and `_` goes in backquotes",
        ))
    }

    /// A path of names. What follows a dot may begin with a digit.
    fn path(&mut self) -> Result<Token, FilterError> {
        let mut names = Vec::new();
        loop {
            let start = self.at;
            if self.peek() == Some('`') {
                self.at += 1;
                let text = self.quoted("`", start, true)?;
                names.push(Name { text, quoted: true });
            } else {
                let text = self.take_while(is_word).to_owned();
                if text.is_empty() {
                    return Err(FilterError::new(start..start, "a name is missing after the dot")
                        .accepts("a name of letters, digits and `_`, or one in backquotes"));
                }
                names.push(Name { text, quoted: false });
            }
            if self.peek() != Some('.') {
                return Ok(Token::Path(names));
            }
            self.at += 1;
            self.skip_blanks()?;
        }
    }

    fn number(&mut self) -> Result<Token, FilterError> {
        let start = self.at;
        let rest = self.rest();
        if rest.starts_with("0x") || rest.starts_with("0X") {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return u64::from_str_radix(digits, 16)
                .map(Token::Int)
                .map_err(|_| self.not_a_number(start));
        }
        let mut is_double = false;
        self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            is_double = true;
            self.at += 1;
            self.take_while(|c| c.is_ascii_digit());
        }
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|rest| {
            let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            (self.rest().len() - digits.len(), digits.starts_with(|c: char| c.is_ascii_digit()))
        });
        if let Some((sign, true)) = exponent {
            is_double = true;
            self.at += sign;
            self.take_while(|c| c.is_ascii_digit());
        }
        if self.peek().is_some_and(|c| is_word(c) || c == '.') {
            self.take_while(|c| is_word(c) || c == '.');
            return Err(self.not_a_number(start));
        }
        let digits = &self.text[start..self.at];
        let number = if is_double {
            digits.parse().map(Token::Double).ok()
        } else {
            digits.parse().map(Token::Int).ok()
        };
        number.ok_or_else(|| self.not_a_number(start))
    }

    fn not_a_number(&self, start: usize) -> FilterError {
        let text = &self.text[start..self.at];
        FilterError::new(start..self.at, format!("`{text}` is not a number that fits")).accepts(
            "integers of 64 bits as in `42` and `0x2a`, and doubles as in `0.5` and `1e-3`",
        )
    }

    /// A string literal, if one begins here: `'..'`, `".."`, either tripled, each with `r` before
    /// it for one without escapes.
    fn string(&mut self) -> Result<Option<String>, FilterError> {
        let start = self.at;
        let rest = self.rest();
        let Some(prefix_len) = rest.bytes().take(3).position(|b| b == b'\'' || b == b'"') else {
            return Ok(None);
        };
        let prefix = rest[..prefix_len].to_ascii_lowercase();
        let has_escapes = match prefix.as_str() {
            "" => true,
            "r" => false,
            "b" | "rb" | "br" => {
                return Err(FilterError::new(
                    start..start + prefix_len,
                    "there are no byte values",
                )
                .accepts("a string without the `b`"));
            }
            _ => return Ok(None),
        };
        let quotes = &rest[prefix_len..];
        let quote = ["'''", "\"\"\"", "'", "\""].into_iter().find(|q| quotes.starts_with(q));
        let Some(quote) = quote else { return Ok(None) };
        self.at += prefix_len + quote.len();
        self.quoted(quote, start, has_escapes).map(Some)
    }

    /// What follows an opening quote, up to the closing one.
    fn quoted(
        &mut self,
        quote: &'static str,
        start: usize,
        has_escapes: bool,
    ) -> Result<String, FilterError> {
        let unclosed = || {
            FilterError::new(start..start + 1, "the quote has no end").accepts(format!(
                "`{quote}` closes it; within it, `\\{}` stands for one",
                &quote[..1]
            ))
        };
        let mut text = String::new();
        loop {
            if self.rest().starts_with(quote) {
                self.at += quote.len();
                break;
            }
            let next = self.peek().ok_or_else(unclosed)?;
            let is_line_end = next == '\n' || next == '\r';
            if is_line_end && quote.len() == 1 {
                return Err(unclosed());
            }
            if next == '\\' && has_escapes {
                text.push(self.escape()?);
            } else if next == '\\' {
                // In a raw string a backslash keeps the quote after it from closing.
                self.at += 1;
                let escaped = self.peek().ok_or_else(unclosed)?;
                self.at += escaped.len_utf8();
                text.extend(['\\', escaped]);
            } else if is_line_end {
                // All ends of lines are one.
                self.at += if self.rest().starts_with("\r\n") { 2 } else { 1 };
                text.push('\n');
            } else {
                self.at += next.len_utf8();
                text.push(next);
            }
        }
        if quote == "`" && text.is_empty() {
            return Err(FilterError::new(start..self.at, "the name in backquotes is empty")
                .accepts("at least one character"));
        }
        Ok(text)
    }

    /// One escape sequence, with its backslash.
    fn escape(&mut self) -> Result<char, FilterError> {
        let start = self.at;
        self.at += 1;
        let letter = self.peek();
        self.at += letter.map_or(0, char::len_utf8);
        let plain = match letter {
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            Some(same @ ('\\' | '?' | '"' | '\'' | '`')) => Some(same),
            Some('0'..='3') => {
                self.at -= 1;
                self.code(3, 8)
            }
            Some('x' | 'X') => self.code(2, 16),
            Some('u') => self.code(4, 16),
            Some('U') => self.code(8, 16),
            _ => None,
        };
        plain.ok_or_else(|| {
            let escape = &self.text[start..self.at];
            FilterError::new(start..self.at, format!("`{escape}` is no escape")).accepts(ESCAPES)
        })
    }

    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let code = self.rest().get(..digits)?;
        if !code.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        self.at += digits;
        char::from_u32(u32::from_str_radix(code, radix).ok()?)
    }
}

fn is_blank(c: char) -> bool {
    let is_ascii = matches!(c, ' ' | '\u{8}'..='\r');
    is_ascii
        || matches!(c, '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
