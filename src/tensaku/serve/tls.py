"""The certificate of a server, read before anything heavy is loaded."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from tensaku.errors import UsageError

__all__ = ["Tls"]


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate (with its chain) and its private key, as PEM files."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> Tls | None:
        """The pair, checked; None where neither is named.

        Raises:
            UsageError: only one is named, a file is missing or unreadable, or the two do not belong together.
        """
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            missing = "certificate" if certificate is None else "key"
            raise UsageError(f"TLS needs a certificate and its key; the {missing} is not named", fix="Name both files")
        for file in (certificate, key):
            if not file.is_file():
                raise UsageError("there is no such file", where=file, fix="Name a PEM file")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            what = f"the certificate cannot be used with this key ({error})"
            fix = f"Check that both are PEM files, belong together, and that {key.name} has no password"
            raise UsageError(what, where=certificate, fix=fix) from None
        return cls(certificate, key)


def _no_password() -> str:
    raise ValueError("the key has a password")
