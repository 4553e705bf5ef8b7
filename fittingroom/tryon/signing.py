"""Content Credentials (C2PA) on results, where a certificate is set: who vouches that this file is what came out.

`FITTINGROOM_C2PA_CERTIFICATE` names the certificates (PEM, the signer's first), `FITTINGROOM_C2PA_KEY` the private key
(PEM, PKCS #8). Nothing is asked of a network: signatures carry no time stamp.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fittingroom import __version__
from fittingroom.errors import FittingroomError, InputError, MissingInputError
from fittingroom.extras import need_extra
from fittingroom.images import encode_png
from fittingroom.settings import get_settings
from fittingroom.tryon.provenance import SOURCE_TYPE, MadeBy

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},  # nothing is asked of a network
}


class Identity(NamedTuple):
    """Who signs: the certificates and the key, as PEM, and C2PA's name of the key's algorithm."""

    certificates: bytes
    key: bytes
    algorithm: str


def signer() -> Identity | None:
    """Who signs results in this installation; None where nobody does.

    Raises:
        InputError: one of certificate and key is not set, not there or cannot be used, or c2pa-python is not installed.
    """
    settings = get_settings()
    if settings.c2pa_certificate is None and settings.c2pa_key is None:
        return None
    if settings.c2pa_certificate is None or settings.c2pa_key is None:
        raise InputError("FITTINGROOM_C2PA_CERTIFICATE and FITTINGROOM_C2PA_KEY: expected both, got one of them")
    need_extra("provenance", "FITTINGROOM_C2PA_CERTIFICATE")
    return _identity(settings.c2pa_certificate, settings.c2pa_key)


@cache
def _identity(certificate: Path, key: Path) -> Identity:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificates, private = _bytes(certificate, "C2PA certificate"), _bytes(key, "C2PA key")
    try:
        public = x509.load_pem_x509_certificates(certificates)[0].public_key()
    except ValueError:
        raise InputError(f"{certificate}: expected certificates as PEM") from None
    try:
        same = load_pem_private_key(private, None).public_key() == public
    except (ValueError, TypeError):  # damaged, or with a password
        raise InputError(f"{key}: expected a private key as PEM, without a password") from None
    if not same:
        raise InputError(f"{key}: this is not the key of {certificate}")
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        algorithm = _CURVES[public.curve.name]
    elif isinstance(public, ed25519.Ed25519PublicKey):
        algorithm = "ed25519"
    elif isinstance(public, rsa.RSAPublicKey):
        algorithm = "ps256"
    else:
        raise InputError(f"{certificate}: expected a key that C2PA signs with: P-256, P-384, P-521, Ed25519 or RSA")
    identity = Identity(certificates, private, algorithm)
    try:
        _sign(identity, encode_png(np.zeros((1, 1, 3), np.uint8)), "image/png", "none")  # what it is for, C2PA says
    except FittingroomError as error:
        raise InputError(f"{certificate}: {error}") from None
    return identity


def _bytes(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise MissingInputError(what, path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror}") from None


def signed(data: bytes, media_type: str, made_by: MadeBy) -> bytes:
    """The file's bytes with a signed manifest; as they are where nobody signs.

    Raises:
        InputError: as `signer`. FittingroomError: it cannot be signed, for the certificate has expired since.
    """
    identity = signer()
    return data if identity is None else _sign(identity, data, media_type, made_by.style)


def _sign(identity: Identity, data: bytes, media_type: str, style: str) -> bytes:
    import c2pa

    tool = {"name": "Fittingroom", "version": __version__}
    action = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "description": f"a photo with a garment in the style {style}",
        "softwareAgent": tool,
    }
    manifest = {
        "claim_generator_info": [tool],
        "format": media_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    out = io.BytesIO()
    info = c2pa.C2paSignerInfo(identity.algorithm, identity.certificates, identity.key, None)
    try:
        context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
        with c2pa.Signer.from_info(info) as key, c2pa.Builder(manifest, context) as builder:
            builder.sign(key, media_type, io.BytesIO(data), out)
    except c2pa.C2paError as error:
        raise FittingroomError(f"results cannot be signed: {error}") from None
    return out.getvalue()


def signature_of(source: Path) -> dict[str, Any] | None:
    """What a file's signed manifest says of itself: ``state`` (``Valid``, ``Trusted`` or ``Invalid``), who ``signed``
    it, and what is wrong with it (``problems``); None where it has none, or c2pa-python is not installed.
    """
    try:
        import c2pa
    except ImportError:
        return None
    data = source.read_bytes()
    media_type = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    try:
        reader = c2pa.Reader.try_create(media_type, io.BytesIO(data), context=context)
    except c2pa.C2paError as error:
        return {"state": "Invalid", "signed": "", "problems": [str(error)]}
    if reader is None:
        return None
    with reader:
        manifest = reader.get_active_manifest() or {}
        results = (reader.get_validation_results() or {}).get("activeManifest", {})
        about = manifest.get("signature_info", {})
        return {
            "state": reader.get_validation_state(),
            "signed": about.get("common_name") or about.get("issuer") or "",
            "problems": [each.get("code", "") for each in results.get("failure", [])],
        }
