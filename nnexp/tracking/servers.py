"""Check that a server answers, with a request like those of MLflow's client."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any

from nnexp.tracking.locations import StoreError, public

ANSWER_SECONDS = 5.0
"""Most time until a server's response begins."""

GATEWAY = (502, 503, 504)
"""HTTP codes of a proxy whose server does not answer."""


def ask_health(uri: str) -> None:
    """Send a request to a server before MLflow's client does, which would retry for minutes.

    Any response will do, even that of a missing page or login. Certificates are checked as
    ``MLFLOW_TRACKING_INSECURE_TLS``, ``..._SERVER_CERT_PATH`` and ``..._CLIENT_CERT_PATH`` say; proxies are the
    environment's.

    Raises:
        StoreError: it does not answer.
    """
    import requests

    address = public(uri) + "/health"
    try:
        with warnings.catch_warnings():
            # A user who switched certificates off knows this.
            warnings.simplefilter("ignore")
            answer = requests.get(
                address,
                timeout=ANSWER_SECONDS,
                verify=_verify(),
                cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
                allow_redirects=False,
                stream=True,
            )
            answer.close()
    except (requests.RequestException, OSError, ValueError) as error:
        raise refused(uri, f"{address}: {_reason(error)}") from error
    if answer.status_code in GATEWAY:
        raise refused(uri, f"{address}: {answer.status_code} {answer.reason}")


def refused(uri: str, why: str) -> StoreError:
    """The error of a server that cannot be used."""
    return StoreError(f"tracking.uri={public(uri)}: expected an MLflow server that answers ({why})")


def _verify() -> Any:
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True


def _reason(error: BaseException) -> str:
    """The last part of a chain of errors, which has the cause."""
    text = " ".join(str(error).split())
    known = re.search(
        r"\[Errno -?\d+\] [^'\")]+|CERTIFICATE_VERIFY_FAILED[^)]*|timed out|Connection aborted", text
    )
    return known[0] if known else text
