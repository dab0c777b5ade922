"""Which addresses the bot may talk to: https and public, unless this is a development set-up. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def refusal(url: str, *, dev: bool) -> str | None:
    """Why this base URL is not accepted, as the end of a sentence; None when it is.

    ``dev`` allows plain http, any port and loopback or private addresses.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be a full URL such as https://api-co.metrc.com"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "must not hold a user name, a password, a query or a fragment"
    return None if dev else _public_refusal(parts.scheme, parts.hostname, port)


def _public_refusal(scheme: str, host: str, port: int | None) -> str | None:
    if scheme != "https":
        return "must use https (plain http needs COUNTLAST_DEV=1)"
    if port not in {None, 443}:
        return "must use port 443 (other ports need COUNTLAST_DEV=1)"
    if not _may_be_public(host):
        return "must be a public host (private and loopback addresses need COUNTLAST_DEV=1)"
    return None


def is_public(address: str) -> bool:
    """Whether a resolved IP address is reachable by everybody; IPv4 hidden inside IPv6 is looked at as IPv4."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return inner.is_global
    return ip.is_global and not ip.is_multicast


def _may_be_public(host: str) -> bool:
    """Judge a host name before it is resolved: literals by what they are, names by whether they can be public."""
    host = host.rstrip(".").lower()
    try:
        return is_public(host)
    except ValueError:
        pass
    last = host.rsplit(".", 1)[-1]
    # 127.1, 0x7f000001 and 2130706433 are loopback to a resolver although they are no IP literal to Python
    looks_numeric = last.isdigit() or last.startswith("0x")
    local = "." not in host or last in {"local", "localhost", "internal", "localdomain", "arpa"}
    return host.isascii() and not looks_numeric and not local
