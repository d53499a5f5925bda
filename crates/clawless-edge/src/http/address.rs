//! The address of a client, as limits count it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address under which requests without a readable one are counted, all together.
const UNKNOWN: &str = "unknown";

/// The prefix of IPv4 addresses that a translator maps: `64:ff9b::/96`.
const TRANSLATED: [u8; 12] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

/// The name under which an address is counted. A client usually has a whole IPv6 /64 and can use any
/// address in it, so the network is counted. IPv4 counts per address, however it is written.
///
/// Expects the value of `cf-connecting-ip`, which the platform sets.
pub fn counted(value: Option<&str>) -> String {
    match value.and_then(parse) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match embedded_v4(address) {
            Some(address) => address.to_string(),
            None => network(address),
        },
        None => UNKNOWN.to_owned(),
    }
}

/// Parses an address, also one in brackets, with a port or with a zone.
fn parse(value: &str) -> Option<IpAddr> {
    let value = value.trim();
    let host = match value.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon separates a port; an IPv6 address has at least two.
        None => match value.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => value,
        },
    };
    let host = host.split_once('%').map_or(host, |(host, _zone)| host);
    host.parse().ok()
}

/// The IPv4 address in an IPv4-mapped one (`::ffff:0:0/96`), or one that a translator maps
/// (`64:ff9b::/96`, RFC 6052).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let (prefix, last) = octets.split_at(12);
    let is_translated = prefix == TRANSLATED;
    let translated = || <[u8; 4]>::try_from(last).ok().map(Ipv4Addr::from);
    address
        .to_ipv4_mapped()
        .or_else(|| translated().filter(|_| is_translated))
}

/// The /64 network of an address.
fn network(address: Ipv6Addr) -> String {
    let network = Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
    format!("{network}/64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_6_addresses_of_one_ipv6_network_count_together_in_every_spelling() {
        let network = "2001:db8:1:2::/64";
        for spelling in [
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff:ffff:ffff:ffff",
            "2001:0DB8:0001:0002:0:0:0:1",
            "2001:db8:1:2::192.0.2.1",
            "[2001:db8:1:2::1]",
            "[2001:db8:1:2::9]:443",
            " 2001:db8:1:2::1%eth0 ",
        ] {
            assert_eq!(counted(Some(spelling)), network, "{spelling}");
        }
        assert_ne!(counted(Some("2001:db8:1:3::1")), network);
    }

    #[test]
    fn attack_6_ipv4_counts_per_address_however_it_is_embedded() {
        for spelling in [
            "192.0.2.1",
            "192.0.2.1:8080",
            "::ffff:192.0.2.1",
            "::FFFF:c000:201",
            "0:0:0:0:0:ffff:192.0.2.1",
            "[::ffff:192.0.2.1]:80",
            "64:ff9b::192.0.2.1",
        ] {
            assert_eq!(counted(Some(spelling)), "192.0.2.1", "{spelling}");
        }
        assert_ne!(counted(Some("192.0.2.2")), "192.0.2.1");
        assert_ne!(
            counted(Some("::ffff:192.0.2.2")),
            counted(Some("::ffff:192.0.2.1"))
        );
    }

    #[test]
    fn what_is_not_one_address_counts_together() {
        for text in [
            "",
            "x",
            "192.0.2.1, 192.0.2.2",
            "192.0.2",
            "1.2.3.4.5",
            ":",
            "[::1",
        ] {
            assert_eq!(counted(Some(text)), "unknown", "{text}");
        }
        assert_eq!(counted(None), "unknown");
    }
}
