"""Keys go to public https hosts and nowhere else, however a private one is spelled."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.addresses import is_public, refusal

PUBLIC = [
    "https://api-co.metrc.com",
    "https://api-co.metrc.com/",
    "https://API-CO.METRC.COM",
    "https://sandbox-api-co.metrc.com:443",
    "https://api-co.metrc.com.",
    "https://slack.com/api/",
    "https://slack-gov.com/api/",
    "https://hc-ping.com/5b0d1f0a-0000-4000-8000-000000000000",
    "https://8.8.8.8",
    "https://[2606:4700::1111]",
]

NO_PLAIN_URL = [
    "",
    "https://",
    "https:///path",
    "api-co.metrc.com",
    "//api-co.metrc.com",
    "ftp://api-co.metrc.com",
    "file:///etc/passwd",
    "https:api-co.metrc.com",
    "https:\\\\api-co.metrc.com",
    "https://user:password@api-co.metrc.com",
    "https://api-co.metrc.com@127.0.0.1",
    "https://api-co.metrc.com:password@127.0.0.1",
    "https://api-co.metrc.com%40127.0.0.1",
    "https://127.0.0.1#@api-co.metrc.com",
    "https://127.0.0.1?api-co.metrc.com",
    "https://127.0.0.1\\.metrc.com",
    "https://127.0.0.1\\@api-co.metrc.com",
    "https://127.0.0.1%00.metrc.com",
    "https://127%2e0%2e0%2e1",
    "https://api-co.metrc.com\n",
    "https://api-co.metrc.com\r\nHost: evil",
    "https://api-co.metrc.com\t",
    " https://api-co.metrc.com",
    "https://api co.metrc.com",
    "https://api-co.metrc.com/?licenseNumber=1",
    "https://api-co.metrc.com/#top",
    "https://api-co..metrc.com",
    "https://.metrc.com",
    "https://api-co.metrc.com..",
    "https://api-co.metrc.com:",
    "https://api-co.metrc.com:٤٤٣",
    "https://api-co.metrc.com:443:443",
    "https://[::1",
    "https://::1",
    "https://[::1%25lo]",
    "https://[not-six]",
    "https://[1.2.3.4.5]",
    # a Cyrillic letter, a full-width letter and digit, an ideographic full stop, circled digits
    "https://аpi-co.metrc.com",
    "https://ａpi-co.metrc.com",
    "https://１27.0.0.1",
    "https://127。0。0。1",
    "https://①②⑦.⓪.⓪.①",
]

PRIVATE = [
    "https://127.0.0.1",
    "https://127.0.0.1.",
    "https://127.1",
    "https://127.0.1",
    "https://2130706433",
    "https://017700000001",
    "https://0x7f000001",
    "https://0X7F000001",
    "https://0x7f.0x0.0x0.0x1",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://00000177.0.0.1",
    "https://127.0.0.0x1",
    "https://127.0.0.1.0",
    "https://256.256.256.256",
    "https://0",
    "https://0.0.0.0",
    "https://10.0.0.8",
    "https://172.16.0.1",
    "https://192.168.1.1",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://198.18.0.1",
    "https://203.0.113.7",
    "https://224.0.0.1",
    "https://255.255.255.255",
    "https://[::1]",
    "https://[::]",
    "https://[::127.0.0.1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:7f00:1]",
    "https://[::ffff:8.8.8.8]",
    "https://[64:ff9b::7f00:1]",
    "https://[64:ff9b:1::1]",
    "https://[2002:7f00:1::]",
    "https://[2001:0:7f00:1::]",
    "https://[2001:db8::1]",
    "https://[fe80::1]",
    "https://[fc00::1]",
    "https://[fec0::1]",
    "https://[ff02::1]",
    "https://localhost",
    "https://LOCALHOST.",
    "https://a.localhost",
    "https://metrc",
    "https://metrc.internal",
    "https://metadata.google.internal",
    "https://metrc.local",
    "https://router.lan",
    "https://printer.home.arpa",
    "https://metrc.test",
    "https://xn--pi-co-4ve.metrc.com",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_public_https_hosts_are_fine(url):
    """What METRC's and Slack's hosts look like is accepted, in dev mode too."""
    assert refusal(url, dev=False) is None
    assert refusal(url, dev=True) is None


@pytest.mark.parametrize("url", NO_PLAIN_URL)
@pytest.mark.parametrize("dev", [True, False])
def test_what_parsers_could_disagree_about_is_refused_even_in_dev_mode(url, dev):
    """Anything but scheme, host, port and path in plain ASCII is no base URL, and a password in it is not repeated."""
    why_not = refusal(url, dev=dev)
    assert why_not is not None
    assert "password@" not in why_not
    assert "127.0.0.1" not in why_not


@pytest.mark.parametrize("url", PRIVATE)
def test_no_spelling_gets_keys_to_a_private_place(url):
    """Decimal, octal, hexadecimal, wrapped and named: loopback and private hosts need dev mode."""
    assert refusal(url, dev=False) == "must be a public host (private and loopback addresses need COUNTLAST_DEV=1)"
    assert refusal(url, dev=True) is None


@pytest.mark.parametrize(
    ("url", "why_not"),
    [
        ("http://api-co.metrc.com", "must use https (plain http needs COUNTLAST_DEV=1)"),
        ("HTTP://api-co.metrc.com", "must use https (plain http needs COUNTLAST_DEV=1)"),
        ("https://api-co.metrc.com:8443", "must use port 443 (other ports need COUNTLAST_DEV=1)"),
        ("https://api-co.metrc.com:80", "must use port 443 (other ports need COUNTLAST_DEV=1)"),
    ],
)
def test_dev_mode_alone_allows_plain_http_and_other_ports(url, why_not):
    """The sentence says how to allow it."""
    assert refusal(url, dev=False) == why_not
    assert refusal(url, dev=True) is None


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_does_not_exist_is_refused(port):
    """Also in dev mode; the ports beside it are fine there."""
    assert refusal(f"http://127.0.0.1:{port}", dev=True) == "must have a port from 1 to 65535"
    assert refusal("http://127.0.0.1:1", dev=True) is None
    assert refusal("http://127.0.0.1:65535", dev=True) is None


def test_what_is_no_address_is_not_public():
    """Only addresses of the open internet are public."""
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")
    for address in ("example.com", "", "1", "1.2.3", "fe80::1%eth0", "::1"):
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_that_is_not_global_is_never_accepted(address):
    """Whatever its spelling inside IPv6."""
    if not address.is_global:
        number = int(address)
        six = ipaddress.IPv6Address
        wrapped = [six(number), six((0xFFFF << 32) | number), six((0x64FF9B << 96) | number)]
        wrapped += [six((0x2002 << 112) | (number << 80))]
        for spelling in (str(address), str(number), hex(number), *(f"[{w}]" for w in wrapped)):
            assert refusal(f"https://{spelling}", dev=False) is not None


@given(st.text(max_size=40))
def test_no_text_makes_it_raise(text):
    """It judges, and nothing else."""
    for url in (text, f"https://{text}", f"https://api-co.metrc.com{text}"):
        assert refusal(url, dev=False) is None or isinstance(refusal(url, dev=False), str)
        assert isinstance(is_public(text), bool)
