//! `Resource`: ARNs, and for a bucket's policy whether they lie in the bucket.

use super::PolicyKind;
use super::fault::Fault;
use super::statement::Listed;
use crate::glob::{Glob, Token};
use crate::pattern::{Pattern, Syntax, arn_parts};

const S3: &str = "arn:aws:s3:::";

/// What a resource of S3 can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Buckets,
    Objects,
    Both,
}

pub(super) fn compile(
    kind: &PolicyKind,
    variables: bool,
    resources: &Listed<String>,
) -> Result<Listed<Pattern>, Fault> {
    let compile = |name: &String| {
        let fits = match kind {
            PolicyKind::Bucket(bucket) => in_bucket(name, bucket),
            _ => is_arn(name),
        };
        if !fits {
            return Err(Fault::Resource(name.as_str().into()));
        }
        let syntax = Syntax { variables, wildcards: true };
        Pattern::new(name, syntax).map_err(|_| Fault::Variable(name.as_str().into()))
    };
    let items = resources.items.iter().map(compile).collect::<Result<_, _>>()?;
    Ok(Listed { negated: resources.negated, items })
}

fn is_arn(name: &str) -> bool {
    let parts = arn_parts(name);
    name == "*" || (parts.len() == 6 && parts.first() == Some(&"arn"))
}

/// Whether it names the bucket or keys in it. A wildcard in the bucket's place must cover the bucket; a variable there
/// can't be known to.
fn in_bucket(name: &str, bucket: &str) -> bool {
    let Some(path) = name.strip_prefix(S3) else { return false };
    let place = path.split_once('/').map_or(path, |(place, _)| place);
    let tokens = place.chars().map(|letter| match letter {
        '*' => Token::Many,
        '?' => Token::One,
        _ => Token::Char(letter),
    });
    Glob::new(tokens).matches(bucket) || (!path.contains('/') && covers_keys(place, bucket))
}

/// `bucket*` and `buck*et` may name keys although they hold no slash; what stands before the star must fit the bucket.
fn covers_keys(place: &str, bucket: &str) -> bool {
    place.split_once('*').is_some_and(|(head, _)| bucket.starts_with(head))
}

pub(super) fn reach(name: &str) -> Reach {
    let path = name.strip_prefix(S3).unwrap_or(name);
    match (path.contains('/'), path.contains('*')) {
        (true, _) => Reach::Objects,
        (false, true) => Reach::Both,
        (false, false) => Reach::Buckets,
    }
}
