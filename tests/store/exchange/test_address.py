"""Where a shared lab is, told without its password."""

from __future__ import annotations

import copy
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import DefinitionError, StoreAway, StoreError
from labkit.store.exchange import Address, ShareDatabase

SECRET = "pass-word"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGPORT", "PGSSLMODE", "PGSSLROOTCERT", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ada:pass-word@db.example:5433/lab", "postgresql://ada@db.example:5433/lab"),
        ("postgres://ada@db.example/lab?password=pass-word", "postgresql://ada@db.example/lab"),
        ("postgresql://ada@/lab?host=/run/pg&sslpassword=pass-word", "postgresql://ada@/lab?host=/run/pg"),
        ("postgresql://a%40b:pass-word@[::1]/l%2Fb", "postgresql://a%40b@[::1]/l/b"),
        ("postgresql://a:pass-word@one:1,two:2/lab", "postgresql://a@one,two:1,2/lab"),
        ("postgresql:///?service=team&password=pass-word", "postgresql:///?service=team"),
        ("postgresql://ada:x?pass-word@db.example/lab", "postgresql://ada@db.example/lab"),
        ("postgresql://localhost,db.example/lab", "postgresql://localhost,db.example/lab"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_an_address_is_shown_without_its_password(given: str, shown: str) -> None:
    """Neither what is shown nor a repr, of it or of what holds it, has the password; libpq gets it."""
    address = Address.parse(given)
    assert address.shown == shown
    assert SECRET not in repr(address) + str(address) + address.key + repr(
        ShareDatabase(address, machine="m")
    )
    assert (SECRET in "".join(address.parameters.values())) == (SECRET in given)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://ada:x@pass-word@db.example/lab",
        "postgresql://ada:x/pass-word@db.example/lab",
        "postgresql://ada:pass-word@db.example:port/lab",
        "postgresql://ada:pass-word%@db.example/lab",
        "postgresql://ada:pass-word@db.example/lab?what=is",
        "postgresql://ada:pass-word\0@db.example/lab",
        "postgresql://ada:pass-word\ud800@db.example/lab",
        "postgresql+psycopg://ada:pass-word@db.example/lab",
        "mysql://ada:pass-word@db.example/lab",
        "host=db.example password=pass-word",
        "",
        None,
        Path("lab.duckdb"),
    ],
)
def test_what_is_no_address_is_told_without_its_password(given: Any) -> None:
    """A mistyped address raises a `DefinitionError` that says how one looks and does not repeat it."""
    with pytest.raises(DefinitionError, match="%40") as raised:
        Address.parse(given)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__cause__ is raised.value.__context__ is None


@pytest.mark.parametrize(
    ("given", "protected"),
    [
        ("postgresql://db.example/lab", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("postgresql://10.0.0.7/lab", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("postgresql:///lab?hostaddr=10.0.0.7", {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("postgresql://localhost,db.example/lab", {"sslmode": "verify-full", "sslrootcert": "system"}),
        (
            "postgresql://db.example/lab?sslrootcert=own.pem",
            {"sslmode": "verify-full", "sslrootcert": "own.pem"},
        ),
        ("postgresql://db.example/lab?sslmode=require", {"sslmode": "require"}),
        ("postgresql://localhost/lab", {}),
        ("postgresql://127.0.0.9/lab", {}),
        ("postgresql://[::1]/lab", {}),
        ("postgresql:///lab?host=/run/pg", {}),
        ("postgresql:///lab?host=@abstract", {}),
        ("postgresql:///lab", {}),
        ("postgresql:///lab?service=team", {}),
    ],
)
def test_another_machine_has_to_show_a_certificate(given: str, protected: dict[str, str]) -> None:
    """Where it is not said otherwise, another machine is asked for a certificate by its name."""
    found = Address.parse(given).parameters
    assert {name: found[name] for name in ("sslmode", "sslrootcert") if name in found} == protected


def test_variables_of_libpq_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """`PGHOST` makes an address without a host another machine's; `PGSSLMODE` says how it is protected."""
    monkeypatch.setenv("PGHOST", "db.example")
    assert Address.parse("postgresql:///lab").parameters["sslmode"] == "verify-full"
    monkeypatch.setenv("PGSSLROOTCERT", "own.pem")
    assert "sslrootcert" not in Address.parse("postgresql:///lab").parameters
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert "sslmode" not in Address.parse("postgresql:///lab").parameters


def test_the_key_names_the_place() -> None:
    """Two addresses of one database have one key, whoever asks and how; others have another."""
    keys = [
        Address.parse(given).key
        for given in (
            "postgresql://ada:a@db.example/lab",
            "postgres://bo@db.example:5432/lab?connect_timeout=3",
            "postgresql://db.example/lab2",
            "postgresql://db.example:1/lab",
            "postgresql://db2.example/lab",
            "postgresql:///lab?service=db.example",
        )
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5
    assert all(key.isalnum() for key in keys)


def test_a_password_file_is_read(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PGPASSFILE` and a service file say what an address does not."""
    kept = Address.parse(url).parameters
    service = tmp_path / "services"
    service.write_text("[team]\n" + "".join(f"{name}={value}\n" for name, value in kept.items()))
    secrets = tmp_path / "secrets"
    secrets.write_text(f"*:*:*:*:{SECRET}\n")
    secrets.chmod(0o600)
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    monkeypatch.setenv("PGPASSFILE", str(secrets))
    share = ShareDatabase(Address.parse("postgresql:///?service=team"), machine="m")
    share.open()
    assert share.writable
    share.close()


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ("postgresql://ada:pass-word@127.0.0.1:1/lab", StoreAway, "Connection refused"),
        ("postgresql://ada:pass-word@127.0.0.1:1/lab?sslmode=what", StoreError, "sslmode"),
        ("postgresql://ada:pass-word@127.0.0.1:1/lab?options=-c%20x%3Dpass-word", StoreAway, "refused"),
        ("postgresql://ada:pass-word@nowhere.invalid/lab", StoreAway, "nowhere.invalid"),
        ("postgresql:///lab?service=pass-word-none&password=pass-word", StoreError, "service"),
    ],
)
def test_no_error_of_connecting_has_the_password(
    given: str, error: type[StoreError], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nobody answers, the error says whose address it was and why; its frames do not tell the rest."""
    caplog.set_level(logging.DEBUG)
    share = ShareDatabase(Address.parse(given), machine="m")
    with pytest.raises(error, match=why) as raised:
        share.open()
    assert type(raised.value) is error
    told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    said = "".join(told.format()).replace("service=pass-word-none", "").replace('"pass-word-none"', "")
    ours = [frame for frame in said.split("  File ") if "test_address" not in frame]
    assert SECRET not in "".join(ours) + caplog.text
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert repr(copy.copy(raised.value)) == repr(raised.value)
