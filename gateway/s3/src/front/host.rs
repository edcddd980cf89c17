//! Which bucket the `Host` header names.

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};

/// The domains under which a bucket may stand in front (`bucket.domain`). Any other host is path style.
#[derive(Clone, Debug, Default)]
pub struct Domains(Vec<Box<str>>);

impl Domains {
    /// Takes domains without ports; letters compare without case.
    #[must_use]
    pub fn new<D: AsRef<str>>(domains: impl IntoIterator<Item = D>) -> Self {
        Self(domains.into_iter().map(|domain| domain.as_ref().to_ascii_lowercase().into_boxed_str()).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bucket that `host` (with or without a port) names, if it is one of ours with a bucket in front.
    #[must_use]
    pub fn bucket<'h>(&self, host: &'h str) -> Option<&'h str> {
        let name = without_port(host);
        self.0.iter().find_map(|domain| {
            let split = name.len().checked_sub(domain.len())?;
            let (front, back) = name.split_at_checked(split)?;
            if !back.eq_ignore_ascii_case(domain) {
                return None;
            }
            front.strip_suffix('.').filter(|bucket| !bucket.is_empty())
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl S3Host for Domains {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let virtual_host = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => virtual_host.with_bucket(bucket.to_ascii_lowercase()),
            None => virtual_host,
        })
    }
}
