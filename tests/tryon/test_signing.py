"""Signed results: only with both a certificate and its key, and a change of any byte of the pixels is found."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from fittingroom.errors import InputError, MissingInputError
from fittingroom.settings import get_settings
from fittingroom.tryon.photo import encode_result, read_photo, try_on_photo, write_result
from fittingroom.tryon.provenance import SOURCE_TYPE, MadeBy
from fittingroom.tryon.signing import signature_of, signer
from fittingroom.tryon.verify import verify
from tests.tryon.test_photo import Finder, Painter, noise, saved

BY = MadeBy("red-solid", {"segmenter": "starter"})


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signing: ec.EllipticCurvePrivateKey,
    is_authority: bool = False,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> bytes:
    subject, by = (
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, each), x509.NameAttribute(NameOID.COMMON_NAME, each)])
        for each in (name, issuer)
    )
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(signing, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A shop's certificate with its authority's, and the key, as the settings name them."""
    pytest.importorskip("c2pa", reason="needs the extra provenance")
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    place = tmp_path / "keys"
    place.mkdir()
    (place / "shop.pem").write_bytes(
        certificate("A shop", own, "An authority", authority)
        + certificate("An authority", authority, "An authority", authority, is_authority=True)
    )
    (place / "server.pem").write_bytes(
        certificate("A shop", own, "An authority", authority, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    )
    (place / "shop.key").write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    other = ec.generate_private_key(ec.SECP256R1())
    (place / "other.key").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("FITTINGROOM_C2PA_CERTIFICATE", str(place / "shop.pem"))
    monkeypatch.setenv("FITTINGROOM_C2PA_KEY", str(place / "shop.key"))
    get_settings.cache_clear()
    yield place
    get_settings.cache_clear()


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_result_is_signed_and_a_change_is_found(tmp_path: Path, suffix: str) -> None:
    import c2pa

    photo = read_photo(saved(noise(), tmp_path / "p.png"))
    result = try_on_photo(photo, Finder(), Painter())
    out = tmp_path / f"out{suffix}"
    write_result(out, result, photo, BY)
    signature = signature_of(out)
    assert signature is not None
    assert signature["state"] == "Valid", "whole, though nobody here knows the authority"
    assert signature["signed"] == "A shop"
    with Image.open(out) as image:
        assert image.size == (44, 60)
        if suffix == ".png":
            assert (np.array(image) == result.image).all()
    found = verify(out, tmp_path / "p.png")
    assert found.marked
    assert found.verified == (suffix == ".png")
    with c2pa.Reader("image/png" if suffix == ".png" else "image/jpeg", io.BytesIO(out.read_bytes())) as reader:
        told = reader.json()
        manifest = reader.get_active_manifest()
    assert SOURCE_TYPE in told
    assert "p.png" not in told
    assert "thumbnail" not in manifest
    assert not manifest.get("ingredients")
    data = out.read_bytes()
    at = data.index(b"red-solid")  # in the XMP
    out.write_bytes(data[:at] + b"redxsolid" + data[at + 9 :])
    if suffix == ".jpg":
        now = signature_of(out)
        assert now is not None
        assert now["state"] == "Invalid"


@pytest.mark.usefixtures("identity")
def test_another_picture_under_the_manifest_is_found(tmp_path: Path) -> None:
    photo = read_photo(saved(noise(), tmp_path / "p.png"))
    data = encode_result(try_on_photo(photo, Finder(), Painter()), photo, BY, lossless=False)
    at = data.rindex(b"\xff\xda") + 200
    (tmp_path / "out.jpg").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    signature = signature_of(tmp_path / "out.jpg")
    assert signature is not None
    assert signature["state"] == "Invalid"
    assert any("mismatch" in problem.lower() for problem in signature["problems"])
    assert any("signature does not hold" in each for each in verify(tmp_path / "out.jpg", tmp_path / "p.png").reasons)


@pytest.mark.parametrize(
    ("variable", "value", "error", "words"),
    [
        ("FITTINGROOM_C2PA_KEY", None, InputError, "expected both"),
        ("FITTINGROOM_C2PA_KEY", "nowhere.key", MissingInputError, "C2PA key not found"),
        ("FITTINGROOM_C2PA_KEY", "other.key", InputError, "this is not the key of"),
        ("FITTINGROOM_C2PA_KEY", "shop.pem", InputError, "expected a private key as PEM"),
        ("FITTINGROOM_C2PA_CERTIFICATE", "shop.key", InputError, "expected certificates as PEM"),
        ("FITTINGROOM_C2PA_CERTIFICATE", "server.pem", InputError, "server.pem: results cannot be signed"),
    ],
)
def test_an_identity_that_cannot_sign_is_refused(
    identity: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str | None,
    error: type[InputError],
    words: str,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, str(identity / value))
    get_settings.cache_clear()
    with pytest.raises(error, match=words):
        signer()


def test_nobody_signs_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITTINGROOM_WORKSPACE", str(tmp_path / "w"))
    get_settings.cache_clear()
    assert signer() is None
    photo = read_photo(saved(noise(), tmp_path / "p.png"))
    write_result(tmp_path / "out.png", try_on_photo(photo, Finder(), Painter()), photo, BY)
    assert signature_of(tmp_path / "out.png") is None
    get_settings.cache_clear()
