//! Where the server listens.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

/// An `http://` URL without a path, resolved once.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What stands in the `Host` header.
    pub authority: String,
    pub address: SocketAddr,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("only http:// endpoints are measured")?;
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains('/') {
            return Err(format!("{url} is not of the form http://HOST[:PORT]"));
        }
        let named = if authority.rsplit(']').next().is_some_and(|tail| tail.contains(':')) {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let address = named
            .to_socket_addrs()
            .map_err(|error| format!("{named}: {error}"))?
            .next()
            .ok_or_else(|| format!("{named} has no address"))?;
        Ok(Self { authority: authority.to_owned(), address })
    }
}
