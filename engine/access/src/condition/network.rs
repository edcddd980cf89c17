//! `IpAddress`: networks in CIDR notation.

use std::net::{IpAddr, Ipv4Addr};

#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    base: IpAddr,
    /// Bits of the base that an address must share.
    bits: u32,
}

/// Reads an address. One of IPv4 that is written as IPv6 is taken for what it is.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

impl Network {
    /// Reads `address` or `address/bits`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((base, bits)) = text.split_once('/') else {
            let base = address(text)?;
            return Some(Self { base, bits: width(base) });
        };
        let base: IpAddr = base.parse().ok()?;
        let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|bits| digits && *bits <= width(base))?;
        match (base.to_canonical(), base) {
            (IpAddr::V4(mapped), IpAddr::V6(_)) if bits >= 96 => {
                Some(Self { base: IpAddr::V4(mapped), bits: bits - 96 })
            }
            _ => Some(Self { base, bits }),
        }
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(32 - self.bits).is_none_or(|differing| differing == 0)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(128 - self.bits).is_none_or(|differing| differing == 0)
            }
            _ => false,
        }
    }

    /// How much it takes of what is narrow: of a /8 of IPv4, of a /32 of IPv6. Networks that no router outside passes on
    /// take nothing.
    fn share(&self) -> f64 {
        let (bits, narrow, private) = match self.base {
            IpAddr::V4(base) => (self.bits, 8, is_private(base, self.bits)),
            IpAddr::V6(base) => (self.bits, 32, base.is_unique_local() && self.bits >= 7),
        };
        let exponent = i32::try_from(bits).unwrap_or(0) - narrow;
        if private { 0.0 } else { 2_f64.powi(-exponent) }
    }
}

/// Whether networks name few enough addresses together not to be the public: as many as a /8 of IPv4 or a /32 of IPv6.
pub(super) fn are_narrow(networks: &[Network]) -> bool {
    networks.iter().map(Network::share).sum::<f64>() <= 1.0
}

fn is_private(base: Ipv4Addr, bits: u32) -> bool {
    let octets = base.octets();
    base.is_private() && (octets[0] == 10 && bits >= 8 || octets[0] == 172 && bits >= 12 || bits >= 16)
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}
