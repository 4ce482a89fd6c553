//! Which addresses a name may turn out to have: what a name server says is checked, and only what was checked is
//! connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use whimbrel_core::destination::Reach;

/// Who can be at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anyone on the internet.
    Public,
    /// A private network: RFC 1918, RFC 6598 (carriers, and pods of some clouds), RFC 4193.
    Private,
    /// This machine.
    Loopback,
    /// This link, a cloud's metadata service, or nobody that a request is meant for.
    Special,
}

/// Metadata services of clouds that aren't at link-local addresses: AWS by IPv6, Alibaba, Oracle, Azure's host.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Who can be at this address.
pub fn kind(address: IpAddr) -> Kind {
    if METADATA.contains(&address) {
        return Kind::Special;
    }
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => kind(IpAddr::V4(inner)),
            None => kind_of_v6(address),
        },
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    let [first, second, third, _] = address.octets();
    if address.is_loopback() {
        Kind::Loopback
    } else if address.is_private() || (first == 100 && (64..128).contains(&second)) {
        Kind::Private
    } else if first == 0
        || first >= 224
        || address.is_link_local()
        || address.is_documentation()
        || (first == 192 && second == 0 && third == 0)
        || (first == 192 && second == 88 && third == 99)
        || (first == 198 && (second == 18 || second == 19))
    {
        Kind::Special
    } else {
        Kind::Public
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        Kind::Loopback
    } else if first & 0xfe00 == 0xfc00 || (first, second) == (0x64, 0xff9b) {
        Kind::Private
    } else if first & 0xe000 != 0x2000
        || (first == 0x2001 && (second == 0 || second == 0xdb8 || second & 0xfff0 == 0x20))
        || first & 0xfff0 == 0x3ff0
    {
        // Only 2000::/3 is given out; of it, not Teredo, ORCHID and the documentation's.
        Kind::Special
    } else {
        Kind::Public
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let v4 = |high: u16, low: u16| {
        let [first, second] = high.to_be_bytes();
        let [third, fourth] = low.to_be_bytes();
        Some(Ipv4Addr::new(first, second, third, fourth))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(high, low),
        (0, 0, 0, 0, 0, 0) if (high, low) > (0, 1) => v4(high, low),
        (0x2002, high, low, ..) => v4(high, low),
        _ => None,
    }
}

/// Whether a place with this reach may be at this address.
pub fn is_within(reach: Reach, address: IpAddr) -> bool {
    match reach {
        Reach::Only(only) => only == address,
        Reach::Loopback => kind(address) == Kind::Loopback,
        Reach::Private => matches!(kind(address), Kind::Public | Kind::Private),
        Reach::Public => kind(address) == Kind::Public,
    }
}

/// Why an address is out of reach, and what would help.
pub fn refusal(reach: Reach, address: IpAddr) -> (String, &'static str) {
    let (what, hint) = match kind(address) {
        Kind::Private if reach == Reach::Public => (
            "an address of a private network",
            "if it is meant, grant the host with its port, as in `https://vault.internal:8200/*`",
        ),
        Kind::Loopback => (
            "an address of this machine",
            "if it is meant, grant the address itself, as in `http://127.0.0.1:8200/*`",
        ),
        Kind::Special => (
            "a link-local, metadata or reserved address",
            "if it is meant, grant the address itself, as in `http://169.254.169.254/latest/*`",
        ),
        Kind::Public | Kind::Private => (
            "an address that isn't this machine's",
            "`localhost` can only be this machine",
        ),
    };
    (format!("{address}, {what}"), hint)
}

#[cfg(test)]
mod tests {
    use super::{Kind, is_within, kind, refusal};
    use std::net::IpAddr;
    use whimbrel_core::destination::Reach;

    #[test]
    fn knows_who_can_be_where() {
        for (text, expected) in [
            ("1.1.1.1", Kind::Public),
            ("2606:4700::1111", Kind::Public),
            ("2002:101:101::", Kind::Public),
            ("::ffff:1.1.1.1", Kind::Public),
            ("10.1.2.3", Kind::Private),
            ("172.31.0.1", Kind::Private),
            ("192.168.0.1", Kind::Private),
            ("100.64.0.1", Kind::Private),
            ("fd12::1", Kind::Private),
            ("::ffff:10.0.0.1", Kind::Private),
            ("64:ff9b::a00:1", Kind::Private),
            ("64:ff9b:1::1", Kind::Private),
            ("127.8.8.8", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("::127.0.0.1", Kind::Loopback),
            ("2002:7f00:1::", Kind::Loopback),
            ("0.0.0.0", Kind::Special),
            ("::", Kind::Special),
            ("169.254.169.254", Kind::Special),
            ("::ffff:169.254.169.254", Kind::Special),
            ("64:ff9b::a9fe:a9fe", Kind::Special),
            ("fe80::1", Kind::Special),
            ("fec0::1", Kind::Special),
            ("fd00:ec2::254", Kind::Special),
            ("100.100.100.200", Kind::Special),
            ("168.63.129.16", Kind::Special),
            ("192.0.0.1", Kind::Special),
            ("192.0.2.1", Kind::Special),
            ("192.88.99.1", Kind::Special),
            ("198.18.0.1", Kind::Special),
            ("224.0.0.1", Kind::Special),
            ("255.255.255.255", Kind::Special),
            ("ff02::1", Kind::Special),
            ("2001:db8::1", Kind::Special),
            ("2001::1", Kind::Special),
        ] {
            assert_eq!(kind(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn reach_bounds_what_a_name_may_be() {
        let at = |text: &str| -> IpAddr { text.parse().unwrap() };
        let metadata = at("169.254.169.254");
        assert!(is_within(Reach::Only(metadata), metadata));
        assert!(!is_within(Reach::Only(metadata), at("169.254.169.253")));
        for reach in [Reach::Public, Reach::Private, Reach::Loopback] {
            assert!(!is_within(reach, metadata));
            assert!(refusal(reach, metadata).0.contains("metadata"));
        }
        assert!(is_within(Reach::Private, at("10.0.0.1")));
        assert!(is_within(Reach::Private, at("1.1.1.1")));
        assert!(!is_within(Reach::Private, at("127.0.0.1")));
        assert!(!is_within(Reach::Public, at("10.0.0.1")));
        assert!(refusal(Reach::Public, at("10.0.0.1")).1.contains("port"));
        assert!(is_within(Reach::Loopback, at("::1")));
        assert!(!is_within(Reach::Loopback, at("10.0.0.1")));
        assert!(refusal(Reach::Loopback, at("10.0.0.1")).0.contains("isn't"));
        assert!(refusal(Reach::Public, at("::1")).1.contains("127.0.0.1"));
    }
}
