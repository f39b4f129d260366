"""Host and port texts as Go's net package takes them apart, for stripPort and stripDomain; it resolves nothing."""


def strip_port(host_port: str) -> str:
    """Give *host_port* without its port; what has none comes back as it is."""
    parts = _split(host_port)
    return host_port if parts is None else parts[0]


def strip_domain(host_port: str) -> str:
    """Give the first label of the host name, its port kept; addresses come back as they are."""
    import ipaddress  # noqa: PLC0415  (only for the texts that ask for it)

    host, port = _split(host_port) or (host_port, "")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        name = host.split(".", 1)[0]
        if not port:
            return name
        return f"[{name}]:{port}" if ":" in name or "%" in name else f"{name}:{port}"
    return host_port


def _split(host_port: str) -> tuple[str, str] | None:
    """Give host and port, None where Go's SplitHostPort fails."""
    colon = host_port.rfind(":")
    if colon < 0:
        return None
    port = host_port[colon + 1 :]
    if host_port.startswith("["):
        end = host_port.find("]")
        if end < 0 or end + 1 != colon:
            return None
        if "[" in host_port[1:] or "]" in host_port[end + 1 :]:
            return None
        return host_port[1:end], port
    host = host_port[:colon]
    return None if ":" in host or "[" in host_port or "]" in host_port else (host, port)
