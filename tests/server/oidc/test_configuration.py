"""What the environment may say about an identity provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import DefinitionError
from labkit.server.oidc_configuration import Oidc
from labkit.server.service import Service
from labkit.server.settings import Settings

ISSUER = {"LABKIT_SERVE_OIDC_ISSUER": "https://id.example/realm", "LABKIT_SERVE_OIDC_CLIENT_ID": "labkit"}


def faults(**changes: object) -> str:
    """What is wrong with a configuration that is right but for `changes`."""
    whole = {"issuer": "https://id.example", "client_id": "labkit", **changes}
    return " ".join(Oidc(**whole).faults())  # type: ignore[arg-type] - some are wrong on purpose


def test_it_is_off_unless_it_is_configured() -> None:
    """Without a variable there is no provider."""
    assert Oidc.from_environment({"LABKIT_SERVE_SECRET": "x", "LABKIT_SERVE_OIDC_ISSUER": ""}) is None


def test_all_variables() -> None:
    """Each variable is read; what is not said is the default."""
    assert Oidc.from_environment(ISSUER) == Oidc(issuer="https://id.example/realm", client_id="labkit")
    more = {
        "CLIENT_SECRET_FILE": "/run/secret",
        "NAME": "The university",
        "ALGORITHMS": "ES256, EdDSA",
        "WORKSPACE": "default",
        "ROLE": "viewer",
    }
    assert Oidc.from_environment(
        {**ISSUER, **{f"LABKIT_SERVE_OIDC_{name}": said for name, said in more.items()}}
    ) == Oidc(
        issuer="https://id.example/realm",
        client_id="labkit",
        client_secret_file=Path("/run/secret"),
        name="The university",
        algorithms=["ES256", "EdDSA"],
        workspace="default",
        role="viewer",
    )


def test_what_is_missing_and_what_is_unknown_is_named() -> None:
    """A variable that is missing, and one that nobody knows, are named together."""
    with pytest.raises(DefinitionError) as wrong:
        Oidc.from_environment(
            {"LABKIT_SERVE_OIDC_SECRET": "s", "LABKIT_SERVE_OIDC_ISSUER": "https://id.example"}
        )
    assert [one.split()[0] for one in wrong.value.faults] == [
        "LABKIT_SERVE_OIDC_SECRET",
        "LABKIT_SERVE_OIDC_CLIENT_ID",
    ]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example",
        "id.example",
        "https://",
        "https://id.example?tenant=1",
        "https://id.example/#a",
        "https://ada:secret@id.example",
        "https://id.example:port",
        "https://id.example/\n",
        "http://localhost.example",
        "ftp://127.0.0.1",
    ],
)
def test_an_issuer_is_encrypted_or_of_this_machine(issuer: str) -> None:
    """An issuer that others could answer for, or that is no plain address, is refused."""
    assert "LABKIT_SERVE_OIDC_ISSUER is" in faults(issuer=issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example",
        "https://id.example:8443/a/",
        "http://localhost:1",
        "http://127.1.2.3",
        "http://[::1]:8",
    ],
)
def test_issuers_that_are_right(issuer: str) -> None:
    """Any https address may be one, with or without a path, and http on this machine."""
    assert faults(issuer=issuer) == ""


@pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "rs256", ""])
def test_algorithms_that_sign_nothing(algorithm: str) -> None:
    """No algorithm is taken in which whoever verifies could sign, nor one that does not exist."""
    assert f"names {algorithm!r}; use of ES256" in faults(algorithms=("RS256", algorithm))


def test_a_service_does_not_start_with_what_is_wrong(tmp_path: Path) -> None:
    """Faults of the provider are told with the others, before anything is opened."""
    oidc = Oidc(issuer="http://id.example", client_id="labkit")
    with pytest.raises(DefinitionError) as wrong:
        Service(Settings(lab=tmp_path / "lab.duckdb", workers=0, oidc=oidc))
    assert len(wrong.value.faults) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("workspace", "role", "words"),
    [("nowhere", "member", "WORKSPACE is 'nowhere', which is not there"), (None, "king", "ROLE is 'king'")],
)
def test_a_service_does_not_start_where_new_users_could_not_come(
    tmp_path: Path, workspace: str | None, role: str, words: str
) -> None:
    """A workspace that is not there, and a role that is none, are told at the start."""
    oidc = Oidc(issuer="https://id.example", client_id="labkit", workspace=workspace, role=role)
    with pytest.raises(DefinitionError, match=words):
        Service(Settings(lab=tmp_path / "lab.duckdb", oidc=oidc))


def test_the_secret_is_a_files_first_line(tmp_path: Path) -> None:
    """The secret is the first line of a file that nobody else may read; without a file there is none."""
    file = tmp_path / "secret"
    file.write_text(" hidden \nmore")
    file.chmod(0o600)
    with_one = Oidc(issuer="https://id.example", client_id="labkit", client_secret_file=file)
    assert (with_one.secret(), Oidc(issuer="https://id.example", client_id="labkit").secret()) == (
        "hidden",
        None,
    )
    file.chmod(0o640)
    with pytest.raises(DefinitionError, match=r"Others of this machine may read .* \(mode 640\)"):
        with_one.secret()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "holds no secret"),
        (b"\nsecret", "holds no secret"),
        (b"\xff", "it is no text"),
    ],
)
def test_a_secret_that_cannot_be_had(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file that is missing, empty or no text is named, with the reason."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    with pytest.raises(DefinitionError, match=words):
        Oidc(issuer="https://id.example", client_id="labkit", client_secret_file=file).secret()
