//! The strings of policies: text, wildcards, policy variables.
//!
//! `${key}` stands for the request's value of a condition key, `${key, 'text'}` has a default for a request that has
//! none, and `${*}`, `${?}`, `${$}` are those characters themselves. What a variable brings in is text: a wildcard in
//! a user's name or tag is a letter like any other.

use std::borrow::Cow;
use std::iter::once;

use crate::context::Key;
use crate::glob::{Glob, Token};
use crate::inquiry::Inquiry;
use crate::template::{Template, Variable};

/// What is special in a string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax {
    pub variables: bool,
    pub wildcards: bool,
}

/// A variable that is not closed, or a default that is not quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadVariable;

#[derive(Debug)]
pub(crate) enum Pattern {
    Text(Box<str>),
    Glob(Glob),
    /// It depends on the request.
    Template(Template),
}

/// What a pattern is read as.
pub(crate) enum Piece {
    Token(Token),
    Variable(Variable),
}

impl Pattern {
    pub fn new(text: &str, syntax: Syntax) -> Result<Self, BadVariable> {
        let pieces = pieces(text, syntax)?;
        let tokens: Option<Vec<Token>> = pieces.iter().map(Piece::token).collect();
        let Some(tokens) = tokens else { return Ok(Self::Template(Template::new(pieces))) };
        match tokens.iter().map(|token| token.letter()).collect::<Option<String>>() {
            Some(text) => Ok(Self::Text(text.into())),
            None => Ok(Self::Glob(Glob::new(tokens.into_iter()))),
        }
    }

    /// Whether it stands for one text, whatever is asked.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// A variable that the request has no value for makes a pattern that nothing matches.
    pub fn matches(&self, text: &str, inquiry: &Inquiry<'_>) -> bool {
        match self {
            Self::Text(own) => **own == *text,
            Self::Glob(glob) => glob.matches(text),
            Self::Template(template) => template.matches(text, inquiry).is_some(),
        }
    }

    /// The text that it stands for in this request; None for a wildcard, and for a variable without a value.
    pub fn text(&self, inquiry: &Inquiry<'_>) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(own) => Some(Cow::Borrowed(own)),
            Self::Glob(_) => None,
            Self::Template(template) => template.text(inquiry).map(Cow::Owned),
        }
    }
}

impl Token {
    fn letter(self) -> Option<char> {
        match self {
            Self::Char(letter) => Some(letter),
            Self::One | Self::Many => None,
        }
    }
}

impl Piece {
    fn token(&self) -> Option<Token> {
        match self {
            Self::Token(token) => Some(*token),
            Self::Variable { .. } => None,
        }
    }
}

fn pieces(text: &str, syntax: Syntax) -> Result<Vec<Piece>, BadVariable> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(opened) = rest.strip_prefix("${").filter(|_| syntax.variables) {
            let (piece, closed) = variable(opened)?;
            pieces.push(piece);
            rest = closed;
            continue;
        }
        pieces.push(Piece::Token(match letter {
            '*' if syntax.wildcards => Token::Many,
            '?' if syntax.wildcards => Token::One,
            _ => Token::Char(letter),
        }));
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
    }
    Ok(pieces)
}

/// Reads a variable past its `${`, and returns what follows its `}`.
fn variable(opened: &str) -> Result<(Piece, &str), BadVariable> {
    if let Some((letter @ ("*" | "?" | "$"), rest)) = opened.split_once('}') {
        return Ok((Piece::Token(letter.chars().next().map_or(Token::Many, Token::Char)), rest));
    }
    let end = opened.find([',', '}']).ok_or(BadVariable)?;
    let (name, rest) = opened.split_at(end);
    let key = Key::parse(name.trim()).filter(Key::is_answered).ok_or(BadVariable)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Ok((Piece::Variable(Variable { key, default: None }), rest));
    }
    let quoted = rest.trim_start_matches(',').trim_start().strip_prefix('\'').ok_or(BadVariable)?;
    let (default, rest) = quoted.split_once('\'').ok_or(BadVariable)?;
    let rest = rest.trim_start().strip_prefix('}').ok_or(BadVariable)?;
    Ok((Piece::Variable(Variable { key, default: Some(default.into()) }), rest))
}

/// The parts of an ARN's pattern, cut at the colons outside of variables, six at most.
pub(crate) fn arn_parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(6);
    let mut start = 0;
    let mut inside = false;
    for ((at, letter), next) in text.char_indices().zip(text.chars().skip(1).map(Some).chain(once(None))) {
        match letter {
            '$' if next == Some('{') => inside = true,
            '}' => inside = false,
            ':' if !inside && parts.len() < 5 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}
