//! Patterns with variables, matched without writing the variables out where that can be helped.

use std::borrow::Cow;

use crate::context::{Fact, Key};
use crate::glob::{Search, Segment, Token};
use crate::inquiry::Inquiry;
use crate::pattern::Piece;

/// `${key}` or `${key, 'default'}`
#[derive(Debug)]
pub(crate) struct Variable {
    pub key: Key,
    pub default: Option<Box<str>>,
}

/// A pattern cut at its stars, as a [`Glob`](crate::glob::Glob) is, with variables in its segments.
#[derive(Debug)]
pub(crate) struct Template {
    head: Box<[Part]>,
    middle: Box<[Box<[Part]>]>,
    /// None when the pattern has no star.
    tail: Option<Box<[Part]>>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    /// `?`
    One,
    Variable(Variable),
}

impl Template {
    pub fn new(pieces: Vec<Piece>) -> Self {
        let mut segments = Vec::new();
        let mut segment = Vec::new();
        for piece in pieces {
            match (piece, segment.last_mut()) {
                (Piece::Token(Token::Char(letter)), Some(Part::Text(text))) => text.push(letter),
                (Piece::Token(Token::Char(letter)), _) => segment.push(Part::Text(letter.into())),
                (Piece::Token(Token::One), _) => segment.push(Part::One),
                (Piece::Token(Token::Many), _) => segments.push(std::mem::take(&mut segment)),
                (Piece::Variable(variable), _) => segment.push(Part::Variable(variable)),
            }
        }
        segments.push(segment);
        let mut segments = segments.into_iter().map(Vec::into_boxed_slice);
        let head = segments.next().unwrap_or_default();
        let mut rest: Vec<Box<[Part]>> = segments.collect();
        let tail = rest.pop();
        Self { head, middle: rest.into(), tail }
    }

    /// Something if `text` matches.
    pub fn matches(&self, text: &str, inquiry: &Inquiry<'_>) -> Option<()> {
        let mut text = text;
        for part in &self.head {
            text = part.strip_start(text, inquiry)?;
        }
        let Some(tail) = &self.tail else { return text.is_empty().then_some(()) };
        for part in tail.iter().rev() {
            text = part.strip_end(text, inquiry)?;
        }
        for segment in &self.middle {
            let mut slots = Vec::new();
            for part in segment {
                match part {
                    Part::One => slots.push(None),
                    part => slots.extend(part.text(inquiry)?.chars().map(Some)),
                }
            }
            text = Search::new(&Segment::new(slots)).after(text)?;
        }
        Some(())
    }

    /// What it stands for, if it has no wildcard.
    pub fn text(&self, inquiry: &Inquiry<'_>) -> Option<String> {
        if self.tail.is_some() {
            return None;
        }
        let mut text = String::new();
        for part in &self.head {
            text.push_str(&part.text(inquiry)?);
        }
        Some(text)
    }
}

impl Part {
    fn strip_start<'t>(&self, text: &'t str, inquiry: &Inquiry<'_>) -> Option<&'t str> {
        match self {
            Self::One => {
                let mut letters = text.chars();
                letters.next().map(|_| letters.as_str())
            }
            part => text.strip_prefix(&*part.text(inquiry)?),
        }
    }

    fn strip_end<'t>(&self, text: &'t str, inquiry: &Inquiry<'_>) -> Option<&'t str> {
        match self {
            Self::One => {
                let mut letters = text.chars();
                letters.next_back().map(|_| letters.as_str())
            }
            part => text.strip_suffix(&*part.text(inquiry)?),
        }
    }

    fn text<'s>(&'s self, inquiry: &'s Inquiry<'_>) -> Option<Cow<'s, str>> {
        let Variable { key, default } = match self {
            Self::Text(text) => return Some(Cow::Borrowed(text)),
            Self::One => return None,
            Self::Variable(variable) => variable,
        };
        match inquiry.fact(key) {
            Fact::One(value) => Some(value),
            Fact::Absent => default.as_deref().map(Cow::Borrowed),
            // A key of many values has none to put in its place.
            Fact::Many(_) => None,
        }
    }
}
