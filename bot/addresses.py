"""Which addresses the bot may talk to: https and public, unless this is a development set-up. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

# So narrow that no two parsers can disagree about the host: no user name, query, fragment, percent sign or backslash.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/[a-z0-9/._~+-]*)?",
    re.IGNORECASE | re.ASCII,
)
_LOCAL: Final = frozenset(
    {"arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion"}
    | {"intranet", "private", "test"}
)
# what the world can reach over IPv6; the rest holds loopback, private and IPv4 addresses in disguise
_WORLD: Final = ipaddress.ip_network("2000::/3")


def refusal(url: str, *, dev: bool) -> str | None:
    """Why this base URL is not accepted, as the end of a sentence; None when it is.

    ``dev`` allows plain http, any port and loopback or private addresses. The URL is never part of the answer: what
    stands before an "@" in it is a password. What the host resolves to must be looked at when connecting.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        return (
            "must be scheme, host and path in plain letters, such as https://api-co.metrc.com, "
            "without user name, password, query or fragment"
        )
    if parts["port"] and not 0 < int(parts["port"]) < 65536:
        return "must have a port from 1 to 65535"
    if parts["six"] and _address(parts["six"]) is None:
        return "must hold an IPv6 address between its brackets"
    return None if dev else _public_refusal(parts)


def _public_refusal(parts: re.Match[str]) -> str | None:
    if parts["scheme"].lower() != "https":
        return "must use https (plain http needs COUNTLAST_DEV=1)"
    if int(parts["port"] or 443) != 443:
        return "must use port 443 (other ports need COUNTLAST_DEV=1)"
    if not _may_be_public(parts["six"] or parts["name"].lower()):
        return "must be a public host (private and loopback addresses need COUNTLAST_DEV=1)"
    return None


def _may_be_public(host: str) -> bool:
    """Judge a host before it is resolved: addresses by what they are, names by whether they can be public."""
    last = host.rpartition(".")[2]
    # 127.1, 0x7f000001 and 2130706433 are loopback to a resolver although they are no address to Python
    if ":" in host or last.isdigit() or last.startswith("0x"):
        return is_public(host)
    # an internationalised name can look like METRC's
    return "." in host and last not in _LOCAL and "xn--" not in host


def is_public(address: str) -> bool:
    """Whether this IP address can be reached by everybody; False for what is no address.

    An IPv4 address hidden inside an IPv6 one (mapped, translated, tunnelled) is not public: nobody's API lives there.
    """
    ip = _address(address.partition("%")[0])
    if ip is None or not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return True
    return ip in _WORLD and ip.sixtofour is None and ip.teredo is None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
