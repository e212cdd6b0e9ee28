"""What may be registered, and what no packet is sent to: a table of addresses that others were deceived by."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventfold.errors import InvalidInput
from notifications.addresses import checked, is_public

HOSTILE = [
    "http://hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://hooks.example.org/",
    "//hooks.example.org/",
    "hooks.example.org",
    "https://",
    "https:///path",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fe80::1%25eth0]/",
    "https://8.8.8.8/",
    "https://localhost/",
    "https://localhost./",
    "https://foo.localhost/",
    "https://postgres/",
    "https://billing.lyceum.svc/",
    "https://kubernetes.default.svc.cluster.local/",
    "https://metadata.google.internal/",
    "https://router.lan/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://user:password@hooks.example.org/",
    "https://hooks.example.org@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.org/",
    "https://hooks.example.org#fragment",
    "https://hooks.example.org\\@127.0.0.1/",
    "https://hooks.example.org\\.127.0.0.1/",
    "https://hooks.example.org:22/",
    "https://hooks.example.org:8443/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:99999/",
    "https://hooks.example.org:/",
    "https://hooks.example.org:443abc/",
    "https://hooks example.org/",
    "https://hooks.example.org/ two",
    "https://hooks.example.org/\r\nHost: inside",
    "https://hooks.example.org/\t",
    "https://hooks.example.org/\x00",
    "https://１２７.０.０.１/",
    "https://ⓛocalhost/",
    "https://例子.中国/",
    "https://hooks.example.org%2f@inside/",
    "https://hooks.example.org%00.inside/",
    "https://-hooks.example.org/",
    "https://hooks..example.org/",
    "https://" + "a" * 64 + ".example.org/",
    "https://hooks.example.org/" + "a" * 2_000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_what_is_no_public_https_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(url)
    assert refused.value.field == "url" and "example.org" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://hooks.example.org", "hooks.example.org", "/"),
        ("https://hooks.example.org:443/a?b=c%20d&e", "hooks.example.org", "/a?b=c%20d&e"),
        ("https://HOOKS.Example.ORG/A", "hooks.example.org", "/A"),
        ("https://xn--fsqu00a.xn--fiqs8s/", "xn--fsqu00a.xn--fiqs8s", "/"),
        ("https://a_b.example.org/", "a_b.example.org", "/"),
        ("https://hooks.example.org?token=1", "hooks.example.org", "/?token=1"),
    ],
)
def test_what_is_one_is_taken(url: str, host: str, target: str) -> None:
    found = checked(url)
    assert (found.host, found.port, found.target, found.url) == (host, 443, target, url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:9/", "https://127.0.0.2:8443/"]
)
def test_addresses_of_this_machine_are_taken_only_where_that_is_asked_for(url: str) -> None:
    assert checked(url, allow_local=True).url == url
    with pytest.raises(InvalidInput):
        checked(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://hooks.example.org/", "http://169.254.169.254/", "ftp://[::1]/"]
)
def test_and_then_no_others(url: str) -> None:
    with pytest.raises(InvalidInput):
        checked(url, allow_local=True)


NOT_PUBLIC = [
    *("0.0.0.1", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1"),
    *("192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::8.8.8.8"),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ffff::1"),
    *("2620:4f:8000::1", "4000::1", "::ffff:169.254.169.254"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_lead_inside_or_nowhere_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450::1"])
def test_others_are(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_inside_an_ipv6_address_is_public(inner: IPv4Address) -> None:
    number = int(inner)
    for wrapped in (0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert not is_public(IPv6Address(wrapped))


@given(st.sampled_from(["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"]), st.data())
def test_no_address_of_a_private_network_is_public(network: str, data: st.DataObject) -> None:
    assert not is_public(data.draw(st.ip_addresses(network=network)))


@given(st.ip_addresses(v=6))
def test_what_is_public_is_given_out_unicast(address: IPv6Address) -> None:
    assert not is_public(address) or address in ip_network("2000::/3")


@given(st.text(max_size=60))
def test_whatever_is_written_behind_https_is_checked_or_refused(text: str) -> None:
    try:
        found = checked(f"https://{text}")
    except InvalidInput:
        return
    assert found.scheme == "https" and found.port == 443 and "." in found.host
    assert not found.host.replace(".", "").isdecimal() and "@" not in found.url
