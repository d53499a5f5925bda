//! Checks the hosts of provider URLs: public hosts over https, no private networks, no metadata
//! services, no loopback.
//!
//! The parser is hand-written because a URL library contains half a megabyte of tables for
//! international names. It rejects everything that is not clearly valid, so being stricter than the
//! network's parser is safe. It does not resolve names: on Workers, requests leave from the edge,
//! which has no private network.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The hosts allowed in a base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Egress {
    /// Public hosts, over https.
    #[default]
    Public,
    /// Any host, also over http, for development.
    Any,
}

/// Why a URL is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Neither `https://` nor, if allowed, `http://`.
    #[error("it must begin with https://")]
    Scheme,
    /// It has a user name or a password.
    #[error("it must not contain a user name or a password")]
    UserInfo,
    /// It has invalid characters, a fragment or a query.
    #[error("it contains characters that are not allowed")]
    Characters,
    /// The host is neither a name nor an address in its canonical form.
    #[error("its host is not valid")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not valid")]
    Port,
    /// The host is, or may be, private.
    #[error("its host is private")]
    Private,
}

impl Egress {
    /// Checks a base URL and returns it.
    pub fn check(self, url: &str) -> Result<&str, EgressError> {
        if !url.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
            || url.contains(['\\', '?', '#', '<', '>', '"', '`', '{', '}', '|', '^'])
        {
            return Err(EgressError::Characters);
        }
        let (scheme, rest) = url.split_once("://").ok_or(EgressError::Scheme)?;
        match scheme {
            "https" => {}
            "http" if self == Self::Any => {}
            _ => return Err(EgressError::Scheme),
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(EgressError::UserInfo);
        }
        if path.split('/').any(is_dots) {
            return Err(EgressError::Characters);
        }
        match split_host(authority)? {
            Host::V6(address) if self == Self::Public && !is_public_v6(address) => {
                Err(EgressError::Private)
            }
            Host::V4(address) if self == Self::Public && !is_public_v4(address) => {
                Err(EgressError::Private)
            }
            Host::Name(name) if self == Self::Public && !is_public_name(name) => {
                Err(EgressError::Private)
            }
            _ => Ok(url),
        }
    }
}

enum Host<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

/// Whether a segment is `.` or `..`, plain or escaped.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

fn split_host(authority: &str) -> Result<Host<'_>, EgressError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(EgressError::Host)?;
        match port.strip_prefix(':') {
            Some(port) => check_port(port)?,
            None if port.is_empty() => {}
            None => return Err(EgressError::Host),
        }
        let address = address.parse().map_err(|_| EgressError::Host)?;
        return Ok(Host::V6(address));
    }
    let host = match authority.split_once(':') {
        Some((host, port)) => {
            check_port(port)?;
            host
        }
        None => authority,
    };
    if let Ok(address) = host.parse() {
        return Ok(Host::V4(address));
    }
    check_name(host)?;
    Ok(Host::Name(host))
}

fn check_port(port: &str) -> Result<(), EgressError> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err(EgressError::Port),
    }
}

/// Checks a host name. A last label that begins with a digit is rejected: the host could be an
/// address in decimal, octal, hexadecimal or short form.
fn check_name(host: &str) -> Result<(), EgressError> {
    let good_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let may_be_address = last.starts_with(|c: char| c.is_ascii_digit());
    if host.len() > 253 || may_be_address || !host.split('.').all(good_label) {
        return Err(EgressError::Host);
    }
    Ok(())
}

/// Whether a name belongs to the public DNS. Single labels and reserved zones are private.
fn is_public_name(host: &str) -> bool {
    const RESERVED: [&str; 9] = [
        "localhost",
        "local",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "private",
        "arpa",
    ];
    // Public names that resolve to an embedded address or to loopback.
    const MIRRORS: [&str; 5] = ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me"];
    let host = host.to_ascii_lowercase();
    let Some((_, zone)) = host.rsplit_once('.') else {
        return false;
    };
    let mirrors = |mirror: &&str| {
        host.strip_suffix(*mirror)
            .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    !RESERVED.contains(&zone) && !MIRRORS.iter().any(mirrors)
}

/// Whether an address is routed on the public network (the special-purpose registries of RFC 6890
/// and its successors).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 224)
}

/// Whether an address is global unicast and does not embed an IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // 2000::/3 but for Teredo and other protocol assignments (2001::/23), documentation
    // (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16). Mapped, translated, link-local, unique
    // local and multicast addresses all lie outside of 2000::/3.
    (0x2000..0x4000).contains(&first)
        && !(first == 0x2001 && second < 0x200)
        && !(first == 0x2001 && second == 0xdb8)
        && first != 0x2002
        && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_hosts_over_https_are_accepted() {
        for url in [
            "https://api.openai.com/v1",
            "https://api.openai.com",
            "https://gateway.example.com:8443/a/b/",
            "https://EXAMPLE.com/v1",
            "https://8.8.8.8/v1",
            "https://[2606:4700:4700::1111]/v1",
            "https://[2606:4700:4700::1111]:8443",
            "https://xn--bcher-kva.example/v1",
            "https://4chan.org",
        ] {
            assert_eq!(Egress::Public.check(url), Ok(url));
            assert_eq!(Egress::Any.check(url), Ok(url));
        }
    }

    #[test]
    fn private_hosts_need_the_setting() {
        for url in [
            "https://localhost/v1",
            "https://LOCALHOST:11434/v1",
            "https://a.localhost",
            "https://127.0.0.1",
            "https://127.9.9.9",
            "https://0.0.0.0",
            "https://0.1.2.3",
            "https://10.0.0.1",
            "https://172.16.0.1",
            "https://172.31.255.255",
            "https://192.168.1.1",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1",
            "https://100.100.100.200",
            "https://192.0.0.192",
            "https://192.0.2.1",
            "https://198.18.0.1",
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://[::1]",
            "https://[::]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:8.8.8.8]",
            "https://[::7f00:1]",
            "https://[64:ff9b::7f00:1]",
            "https://[fe80::1]",
            "https://[fc00::1]",
            "https://[fd00:ec2::254]",
            "https://[ff02::1]",
            "https://[2002:7f00:1::]",
            "https://[2001::1]",
            "https://[2001:db8::1]",
            "https://metadata.google.internal",
            "https://metadata",
            "https://printer.local",
            "https://router.lan",
            "https://1.0.0.127.in-addr.arpa",
            "https://127.0.0.1.nip.io",
            "https://localtest.me",
        ] {
            assert_eq!(
                Egress::Public.check(url),
                Err(EgressError::Private),
                "{url}"
            );
            assert_eq!(Egress::Any.check(url), Ok(url));
        }
        let plain = "http://127.0.0.1:11434/v1";
        assert_eq!(Egress::Public.check(plain), Err(EgressError::Scheme));
        assert_eq!(Egress::Any.check(plain), Ok(plain));
    }

    #[test]
    fn malformed_urls_are_rejected_in_every_mode() {
        use EgressError::{Characters, Host, Port, Scheme, UserInfo};
        for (url, reason) in [
            ("", Scheme),
            ("//example.com", Scheme),
            ("HTTPS://example.com", Scheme),
            ("ftp://example.com", Scheme),
            ("file:///etc/passwd", Scheme),
            ("javascript:alert(1)", Scheme),
            ("https:example.com", Scheme),
            ("https://", Host),
            ("https:///v1", Host),
            ("https://user@example.com", UserInfo),
            ("https://user:pass@example.com", UserInfo),
            ("https://example.com:443@127.0.0.1", UserInfo),
            ("https://example.com\\@127.0.0.1", Characters),
            ("https://example.com?x=1", Characters),
            ("https://example.com/v1?key=secret", Characters),
            ("https://example.com/v1#top", Characters),
            ("https://example.com/a b", Characters),
            ("https://example.com/\r\nx: y", Characters),
            ("https://ex\u{e4}mple.com", Characters),
            ("https://\u{2460}27.0.0.1", Characters),
            ("https://example.com/../admin", Characters),
            ("https://example.com/%2E%2e/admin", Characters),
            ("https://2130706433", Host),
            ("https://0x7f000001", Host),
            ("https://0177.0.0.1", Host),
            ("https://127.1", Host),
            ("https://127.0.0.0x1", Host),
            ("https://127.0.0.1.", Host),
            ("https://localhost.", Host),
            ("https://256.1.1.1", Host),
            ("https://a..b", Host),
            ("https://-a.com", Host),
            ("https://%31%32%37.0.0.1", Host),
            ("https://[::1", Host),
            ("https://[::1]x", Host),
            ("https://[fe80::1%25eth0]", Host),
            ("https://[v1.x]", Host),
            ("https://::1/", Port),
            ("https://example.com:", Port),
            ("https://example.com:0", Port),
            ("https://example.com:65536", Port),
            ("https://example.com:+443", Port),
            ("https://example.com:8a", Port),
        ] {
            for egress in [Egress::Public, Egress::Any] {
                let checked = egress.check(url);
                assert!(checked.is_err(), "{url} passed");
                assert_eq!(checked, Err(reason), "{url}");
            }
        }
    }
}
