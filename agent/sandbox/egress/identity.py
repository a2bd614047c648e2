"""What the proxy shows to a sandbox: a certificate for the listed hosts, of an authority that nothing else trusts."""

import os
import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """The authority's certificate, and the server's own key and certificate, all PEM."""

    authority: str
    own: str = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """Return what serves TLS for one connection: its check of the name asked for is its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # ssl takes them from files only: one that is in memory.
        fd = os.memfd_create("jada", os.MFD_CLOEXEC)
        try:
            with open(fd, "w", encoding="ascii", closefd=False) as file:
                file.write(self.own)
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        return context
