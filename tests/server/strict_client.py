"""A client that expects what the front end of the older workbench expects, and forgives as little.

It is in our own words. It runs as if in a browser, on a page of another origin: a preflight has to allow each
call, an answer without the right CORS header is not seen at all, and cookies never travel. It knows
nothing of the service but its address.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

PAGE = "http://localhost:5173"
SAFELISTED_METHODS = ("GET", "HEAD", "POST")
SAFELISTED_HEADERS = ("accept", "accept-language", "content-language")
JSON = "application/json"


class Failed(Exception):
    """What the page would show: a code, and a message that is text or `[object Object]`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class LoggedIn:
    """Who the page takes a token's holder for."""

    user_id: str
    username: str
    email: str | None
    expired: bool


class StrictClient:
    """Asks the service at `base`, from a page at `origin`; `token` is what the page keeps of a log-in."""

    def __init__(self, base: str, *, origin: str = PAGE, token: str | None = None) -> None:
        self.api = f"{base}/api/v1"
        self.origin = origin
        self.token = token
        self.statuses: list[int] = []
        """Those of the answers, preflights left out."""

    def models(self) -> list[dict[str, Any]]:
        """The catalog."""
        return _array(self._call("GET", "/models", code="API_ERROR", otherwise="Failed to fetch models"))

    def model(self, model_id: str) -> dict[str, Any]:
        """One model; its id goes into the path as it is."""
        found = self._call("GET", f"/models/{model_id}", code="API_ERROR", otherwise="Failed to fetch model")
        assert isinstance(found, dict)
        return found

    def execute(self, prompt: str, model_ids: Sequence[str], **more: Any) -> list[dict[str, Any]]:
        """Ask; `more` may hold `workspace_id`, `context_blocks`, `stream`."""
        body = {"prompt": prompt, "model_ids": list(model_ids), **more}
        said = self._call(
            "POST", "/execute", body, code="EXECUTION_ERROR", otherwise="Failed to execute prompt"
        )
        return [shown(run) for run in _array(said)]

    def executions(self, query: str = "") -> list[dict[str, Any]]:
        """The history."""
        said = self._call("GET", f"/executions{query}", code="API_ERROR", otherwise="Failed to fetch")
        return [shown(run) for run in _array(said)]

    def execution(self, execution_id: str) -> dict[str, Any]:
        """One execution."""
        found = self._call(
            "GET", f"/executions/{execution_id}", code="API_ERROR", otherwise="Failed to fetch"
        )
        return shown(found)

    def providers(self) -> dict[str, Any]:
        """Which providers can be asked."""
        found = self._call("GET", "/providers", code="API_ERROR", otherwise="Failed to fetch")
        for name in ("openai", "anthropic", "ollama"):
            assert {"configured", "available", "type"} <= set(found[name])
        return dict(found)

    def api_status(self) -> dict[str, Any]:
        """The same, with a mode."""
        found = self._call("GET", "/api-status", code="API_ERROR", otherwise="Failed to fetch")
        assert isinstance(found["mode"], str)
        return dict(found)

    def workbench_execute(self, prompt: str, model_id: str, **more: Any) -> dict[str, Any]:
        """Ask one model, by the older call."""
        body = {"prompt": prompt, "model_id": model_id, **more}
        said = self._call("POST", "/workbench/execute", body, code="EXECUTION_ERROR", otherwise="Failed")
        assert {"run_id", "model_id", "output", "usage", "latency_ms", "created_at"} <= set(said)
        return dict(said)

    def me(self) -> dict[str, Any]:
        """Who the service takes the token's holder for."""
        return dict(self._call("GET", "/auth/me", code="API_ERROR", otherwise="Failed to fetch"))

    def log_in(self, username: str, password: str) -> LoggedIn:
        """Log in by JSON, and keep the token."""
        said = self._call(
            "POST",
            "/auth/login/json",
            {"username": username, "password": password},
            code="LOGIN",
            otherwise="Login failed",
        )
        return self._keep(said)

    def log_in_by_form(self, username: str, password: str) -> LoggedIn:
        """Log in by a form, and keep the token."""
        sent = str(httpx2.QueryParams({"username": username, "password": password})).encode()
        said = self._send("POST", "/auth/login", sent, {"Content-Type": "application/x-www-form-urlencoded"})
        return self._keep(_read(said, "LOGIN", "Login failed"))

    def _keep(self, said: dict[str, Any]) -> LoggedIn:
        assert said["token_type"] == "bearer"
        assert said["expires_in"] > 0
        self.token = said["access_token"]
        return self.user()

    def user(self) -> LoggedIn:
        """Who the kept token says one is: the page reads it, and asks nobody."""
        assert self.token is not None
        part = self.token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return LoggedIn(
            user_id=said.get("user_id") or said["sub"],
            username=said.get("sub") or said["username"],
            email=said.get("email"),
            expired="exp" in said and said["exp"] < time.time(),
        )

    def _call(self, method: str, path: str, body: Any = None, *, code: str, otherwise: str) -> Any:
        who = {"x-user-id": "anonymous"} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        sent = None if body is None else json.dumps(body).encode()
        return _read(self._send(method, path, sent, {"Content-Type": JSON, **who}), code, otherwise)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx2.Response:
        """What the page's script gets to see. Raises `Failed` where the browser shows it nothing."""
        own = {
            "Origin": self.origin,
            "Sec-Fetch-Site": "same-site",
            "Sec-Fetch-Mode": "cors",
            "Accept": "*/*",
        }
        self._preflight(method, path, headers, own)
        # A client made anew for each call holds no cookies.
        answer = httpx2.request(method, self.api + path, content=body, headers={**own, **headers}, timeout=60)
        self._check_origin(answer)
        self.statuses.append(answer.status_code)
        return answer

    def _preflight(self, method: str, path: str, headers: dict[str, str], own: dict[str, str]) -> None:
        asked = sorted(
            name.lower()
            for name, value in headers.items()
            if not (name.lower() == "content-type" and value != JSON)
            and name.lower() not in SAFELISTED_HEADERS
        )
        if not asked and method in SAFELISTED_METHODS:
            return
        wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(asked)}
        answer = httpx2.options(self.api + path, headers={**own, **wanted}, timeout=60)
        self._check_origin(answer)
        if not answer.is_success:
            raise Failed("NETWORK_ERROR", "the preflight was refused")
        if method not in {*_list(answer, "methods"), *SAFELISTED_METHODS}:
            raise Failed("NETWORK_ERROR", f"the preflight does not allow {method}")
        if lacking := set(asked) - {name.lower() for name in _list(answer, "headers")}:
            raise Failed("NETWORK_ERROR", f"the preflight does not allow {lacking}")

    def _check_origin(self, answer: httpx2.Response) -> None:
        if answer.headers.get("access-control-allow-origin") != self.origin:
            raise Failed("NETWORK_ERROR", "Failed to fetch")


def _list(answer: httpx2.Response, what: str) -> list[str]:
    return [name.strip() for name in answer.headers.get(f"access-control-allow-{what}", "").split(",")]


def _read(answer: httpx2.Response, code: str, otherwise: str) -> Any:
    """The JSON of a good answer, whatever its type is called. Raises `Failed`."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        raise Failed("NETWORK_ERROR", "Unexpected token or end of JSON input") from None
    if answer.is_success:
        return said
    detail = said.get("detail") if isinstance(said, dict) else None
    if detail is not None and not isinstance(detail, str):
        raise Failed(code, "[object Object]")
    raise Failed(code, detail or otherwise)


def _array(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise Failed("NETWORK_ERROR", "the answer is no array")
    return said


STATUSES = ("pending", "running", "success", "error", "cancelled", "completed", "failed")
TEXTS = ("id", "workspaceId", "promptSnapshot", "modelId", "startedAt")
OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "completedAt": str,
    "createdAt": str,
    "durationMs": (int, float),
    "inputTokens": int,
    "outputTokens": int,
    "totalTokens": int,
    "cost": (int, float),
    "output": str,
    "error": str,
    "metadata": dict,
}
METRICS = ("totalTokens", "duration", "inputTokens", "outputTokens", "latency", "cost")


def shown(run: Any) -> dict[str, Any]:
    """`run` as the page's views read it, which fail where a member is missing, null or of another type."""
    assert isinstance(run, dict)
    for name in TEXTS:
        assert isinstance(run[name], str), name
    assert run["status"] in STATUSES
    assert all(isinstance(block, str) for block in run["contextBlockIds"])
    for name, kind in OPTIONAL.items():
        assert name not in run or isinstance(run[name], kind), name
    for name in METRICS:
        value = run.get("metrics", {}).get(name, 0)
        assert isinstance(value, (int, float)), name
    for name in ("startedAt", "completedAt", "createdAt"):
        assert run.get(name, "Z").endswith("Z"), "a browser would read it as local time"
    return run
