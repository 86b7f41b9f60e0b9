"""The service's page in a real Chromium: the whole walk by keyboard, streams over reloads, hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from driver import PICTURES
from hostile import ALL, HOSTILE
from models import counting, talking, words
from playwright.sync_api import expect
from sqlalchemy import select

import labkit as lk
from labkit.errors import AuthenticationFailed
from labkit.providers.script import Cut, Fault, Reply, Said
from labkit.server.accounts import accounts, sessions
from labkit.server.oidc.provider import Provider
from labkit.server.oidc_configuration import Oidc
from labkit.server.state.tables import User
from labkit.visible import shown
from tests.server.oidc.lying_provider import CLIENT_ID, lying_provider
from tests.server.running import KEPT, PASSWORD, Running, running

pytestmark = pytest.mark.browser

STOPS = 150
"""Presses of Tab after which something counts as out of reach."""
ONE_LINE_PX = 45
LOOKS = (("light", 1400), ("dark", 390))
"""Themes and widths in which a view is looked at: contrast is a matter of the one, places of the other."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with models that talk slowly, that count, that are hostile, and one without its key."""
    models = [
        talking("brief", text="It is praise, and friendly.", delay_s=0.4),
        talking("wordy", text="It is praise, and warm, and short.", delay_s=0.8),
        talking("plain", delay_s=0.4),
        counting("counts", count=150, delay_s=3.0),
        counting("also", count=100, delay_s=3.0),
        counting("endless", count=2000, delay_s=60.0),
        counting("forever", count=2000, delay_s=60.0),
        saying("cut", Reply("One, two", stop_reason="max_tokens")),
        saying("empty", ""),
        saying("refused", AuthenticationFailed("HTTP 401: wrong key")),
        saying("broken", "One, two, three", fault=Cut(after=2)),
        lk.Model("scripted/hostile", client=lk.Script(lambda request: ALL, version="1"), label=HOSTILE[1]),
        lk.Model("scripted/hostile-2", client=lk.Script(lambda request: f"{ALL} more", version="1")),
        lk.Model("elsewhere/keyless", base_url="http://127.0.0.1:9/v1", key_env="ELSEWHERE_API_KEY"),
    ]
    with running(tmp_path_factory.mktemp("service"), models) as found:
        blocks = [lk.Block("style", "Answer in one sentence. " * 20), lk.Block("nasty", HOSTILE[0])]
        found.service.lab.prompts.save(lk.Prompt("kept", "{{ text }}", blocks=blocks))
        yield found


def saying(name: str, said: Said, fault: Fault | None = None) -> lk.Model:
    """A model that says this at once."""
    script = lk.Script(lambda request: said, version="1", faults=lambda request: fault)
    return lk.Model(f"scripted/{name}", client=script)


Opener = Callable[..., Any]


@pytest.fixture
def open_page(service: Running, browser: Any) -> Iterator[Opener]:
    """Opens the page, logged in as somebody. At the end no script failed, no dialog opened, and no request
    went anywhere but to the service, and to `also` where that is given."""
    troubles: list[str] = []
    contexts = []

    def make(who: str | None = "ada", address: str = "", also: str | None = None) -> Any:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        if who is not None:
            context.add_cookies([cookie(service, who)])
        own = tuple(filter(None, (service.url, also)))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: troubles.append(said.text) if "Policy" in said.text else None)
        page.on("request", lambda one: None if one.url.startswith(own) else troubles.append(one.url))
        page.goto(service.url + address)
        return page

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


def cookie(service: Running, who: str) -> Any:
    """What the browser has of one who logged in; without the password, whose hash takes long to compute."""
    with service.service.state.writing(durable=False) as rows:
        user = rows.scalars(select(User.id).where(User.name == who)).one()
        secret = sessions.begin(rows, user, service.service.settings, cookie=True).secret
    return {"name": sessions.cookie_name(service.service.settings), "value": secret, "url": service.url}


def log_in(page: Any, who: str, password: str = PASSWORD) -> None:
    """Fill in the form of the log-in, by keyboard."""
    name = page.get_by_label("Name")
    expect(page.locator("form.log-in")).to_be_visible()
    if not name.input_value():
        expect(name).to_be_focused()
        page.keyboard.type(who)
        page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def reach(page: Any, target: Any) -> None:
    """Press Tab until `target` has the focus, which can then be seen."""
    for _ in range(STOPS):
        if target.evaluate("(one) => one === document.activeElement"):
            outline = target.evaluate("(one) => getComputedStyle(one).outlineStyle")
            assert outline != "none", target
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached by Tab")


def press(page: Any, target: Any, key: str = "Enter") -> None:
    """Reach it, and press a key there."""
    reach(page, target)
    page.keyboard.press(key)


def ask(page: Any, prompt: str, *models: str) -> None:
    """Choose the models, write the prompt, and run it."""
    for model in models:
        page.get_by_label(f"scripted/{model}", exact=True).check()
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_role("button", name="Run").click()


def texts(page: Any) -> list[str]:
    """What the models said so far."""
    found: list[str] = page.locator(".lk-text").all_text_contents()
    return found


def outputs(service: Running, page: Any) -> list[str]:
    """What the history has of the page's run."""
    run = page.evaluate("() => location.hash").removeprefix("#run/")
    rows = service.ask("GET", f"/executions?run_id={run}").json()
    return [service.ask("GET", f"/executions/{row['id']}").json().get("output", "") for row in rows]


def test_every_view_can_be_read_by_all(open_page: Opener, service: Running) -> None:
    """Light and dark, wide and narrow: axe finds nothing, nothing is wider than the page, and what a button
    says stands in one line."""
    runs = service.execute("Is this praise?", "scripted/brief", "scripted/plain")
    first, second = (run["id"] for run in runs)
    run = runs[0]["metadata"]["runId"]
    token = {"name": "One with a long title, for the laboratory", "scopes": ["read"], "days": 1}
    assert service.ask("POST", "/tokens", json=token).status_code == 201
    page = open_page(None)
    look(page, "log-in", page.locator("form.log-in"))
    page.context.add_cookies([cookie(service, "ada")])
    page.reload()
    page.get_by_label("scripted/brief").check()
    page.get_by_label("style").check()
    page.get_by_label("Prompt").fill("Is this praise?")
    look(page, "ask", page.locator(".cost", has_text="USD"))
    for view, there in (
        (f"run/{run}", ".links a"),
        ("history", ".executions li"),
        (f"execution/{first}", ".facts"),
        (f"compare/{first}/{second}", ".two"),
        ("tokens", "form.token"),
    ):
        page.goto(f"{service.url}/#{view}")
        look(page, view.partition("/")[0], page.locator(there).first)


def look(page: Any, name: str, there: Any) -> None:
    """Hold a view against axe, and keep pictures: once wide and light, once narrow and dark."""
    expect(there).to_be_visible()
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        heights = page.locator("button, .button").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
        assert all(height < ONE_LINE_PX for height in heights)
        page.screenshot(path=str(PICTURES / f"service-{name}-{scheme}-{width}.png"), full_page=True)


def test_the_whole_walk_by_keyboard(open_page: Opener, service: Running) -> None:
    """Log-in, choice, cost, run, comparison, history, token and log-out need no pointer."""
    page = open_page(None)
    assert page.get_by_text("Log in with").count() == 0
    log_in(page, "ada", "wrong")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    search = page.get_by_label("Search by name")
    reach(page, search)
    page.keyboard.type("scripted/BRIEF")
    expect(page.get_by_label("scripted/wordy")).to_be_hidden()
    press(page, page.get_by_label("scripted/brief"), "Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("wordy")
    press(page, page.get_by_label("scripted/wordy"), "Space")
    press(page, page.get_by_label("style"), "Space")
    reach(page, page.get_by_label("Prompt"))
    page.keyboard.type("Is {{ this }} praise?")
    expect(page.locator(".cost")).to_contain_text("This costs about USD 0.00")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-state=streaming]").first).to_be_visible()
    reach(page, page.get_by_role("log").first)
    expect(page.get_by_role("log").first).to_have_attribute("aria-live", "polite")
    press(page, page.get_by_role("link", name="Compare the two"))
    expect(page.locator(".two del")).to_have_text(["friendly"])
    expect(page.locator(".two ins")).to_have_text(["warm, and short"])
    expect(page.get_by_role("definition").filter(has_text="b1:")).to_have_count(2)
    press(page, page.get_by_role("link", name="History"))
    reach(page, page.get_by_label("Search prompts and answers"))
    page.keyboard.type("WARM, and")
    page.keyboard.press("Enter")
    expect(page.locator(".executions li")).to_have_count(1)
    press(page, page.locator(".executions a"))
    expect(page.get_by_role("heading", level=1)).to_have_text("scripted/wordy")
    expect(page.get_by_role("group", name="Answer")).to_have_text("It is praise, and warm, and short.")
    press(page, page.get_by_role("link", name="Tokens"))
    reach(page, page.get_by_label("Name"))
    page.keyboard.type("nightly")
    press(page, page.get_by_label("execute"), "Space")
    press(page, page.get_by_role("button", name="Make it"))
    secret = page.get_by_label("The token “nightly”, shown only now")
    expect(secret).to_be_focused()
    bearer = {"Authorization": f"Bearer {secret.input_value()}"}
    assert service.ask("GET", "/models", as_=None, headers=bearer).status_code == 200
    press(page, page.get_by_role("button", name="Revoke nightly"))
    expect(page.locator(".tokens li", has_text="nightly")).to_contain_text("revoked")
    assert service.ask("GET", "/models", as_=None, headers=bearer).status_code == 401
    press(page, page.get_by_role("button", name="Log out"))
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert page.evaluate("() => [sessionStorage.length, location.hash]") == [0, ""]
    assert page.evaluate("async () => (await fetch('/api/v1/auth/me')).status") == 401


def test_reloads_in_mid_run_lose_no_character(open_page: Opener, service: Running) -> None:
    """Reloaded several times while two models stream, the page shows in the end what the history has."""
    page = open_page()
    ask(page, "Count for all", "counts", "also")
    expect(page.locator("[data-state=streaming]")).to_have_count(2)
    for word in (20, 50, 80):
        expect(page.locator(".lk-text").first).to_contain_text(f"counts:all:{word} ")
        page.reload()
    expect(page.locator(".lk-line")).to_contain_text("finished · 2 of 2 answered", timeout=15_000)
    assert texts(page) == [words("counts", "all", 150), words("also", "all", 100)] == outputs(service, page)
    page.reload()
    expect(page.locator(".lk-line")).to_contain_text("finished")
    assert texts(page) == outputs(service, page)


def test_one_model_is_stopped_and_then_all(open_page: Opener, service: Running) -> None:
    """A model that is stopped alone, and a run that is, say so at once and keep the text that had come, which
    the history has too; the other models go on meanwhile. A viewer may stop nothing."""
    page = open_page()
    ask(page, "Count for all", "brief", "wordy", "endless", "forever")
    endless = page.get_by_role("log", name="scripted/endless")
    expect(endless.locator(".lk-text")).to_contain_text("endless:all:10 ")
    viewer = open_page("vic", f"/{page.evaluate('() => location.hash')}")
    expect(viewer.get_by_role("log")).to_have_count(4)
    assert viewer.get_by_role("button", name="Stop").locator("visible=true").count() == 0
    page.get_by_role("button", name="Stop scripted/endless").click()
    expect(endless).to_have_attribute("data-state", "stopped")
    expect(endless.locator(".lk-note")).to_have_text("scripted/endless was stopped: a user asked for it")
    assert not page.get_by_role("button", name="Stop scripted/endless").is_visible()
    assert page.get_by_role("button", name="Stop scripted/forever").is_visible()
    expect(page.locator("[data-state=done]")).to_have_count(2)
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator(".lk-line")).to_contain_text("finished · 2 of 4 answered · 2 stopped")
    assert page.get_by_role("button", name="Stop").locator("visible=true").count() == 0
    assert texts(page) == outputs(service, page)
    assert not [text for text in texts(page) if text.endswith(":1999")]


def test_a_log_in_that_ends_keeps_what_was_written(open_page: Opener, service: Running) -> None:
    """After a log-in ended, in the form and in mid-run, the page asks for it and goes on where it was."""
    page = open_page("root")
    page.get_by_label("scripted/counts").check()
    page.get_by_label("Prompt").fill("Count for all")
    expect(page.locator(".cost")).to_contain_text(
        "not known: no price or no longest answer is known of scripted/counts"
    )
    end_log_ins(service, "root")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_have_text("Your log-in has ended. Log in again.")
    log_in(page, "root")
    expect(page.get_by_label("Prompt")).to_have_value("Count for all")
    expect(page.get_by_label("scripted/counts")).to_be_checked()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-state=streaming]")).to_be_visible()
    end_log_ins(service, "root")
    expect(page.locator("form.log-in")).to_be_visible()
    log_in(page, "root")
    expect(page.locator(".lk-line")).to_contain_text("finished · 1 of 1", timeout=15_000)
    assert texts(page) == [words("counts", "all", 150)]


def test_a_log_in_by_the_identity_provider(
    open_page: Opener, service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one is configured the form leads there by its name, back to what was to be shown, and after
    log-out to the provider's own."""
    with lying_provider() as provider:
        oidc = Oidc(
            issuer=provider.url, client_id=CLIENT_ID, name="The <b>university</b>", workspace="default"
        )
        provider.metadata = {"end_session_endpoint": f"{provider.url}/bye"}
        provider.claims = {"preferred_username": "grace"}
        monkeypatch.setattr(service.service, "oidc", Provider(oidc, service.url))
        page = open_page(None, "/#history?q=nothing", also=provider.url)
        page.get_by_role("link", name="Log in with The <b>university</b>").click()
        expect(page.locator(".who")).to_contain_text("grace")
        expect(page.get_by_label("Search prompts and answers")).to_have_value("nothing")
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("link", name="Log out at The <b>university</b> too").click()
        expect(page).to_have_url(re.compile(f"^{provider.url}/bye"))
        page.goto(f"{service.url}/api/v1/auth/oidc/callback?error=access_denied")
        look(page, "refused", page.get_by_role("heading", name="You are not logged in"))
        page.get_by_role("link", name="Back to labkit").click()
        expect(page.locator("form.log-in")).to_be_visible()


def test_what_came_of_each_model_is_said(open_page: Opener, service: Running) -> None:
    """An answer that is cut off or empty says so, as one that failed or broke off does: in the run, in the
    history, by itself, and beside another, where marked is what answers differ in and not errors."""
    page = open_page()
    ask(page, "Say something", "cut", "empty", "refused", "broken")
    expect(page.locator(".lk-line")).to_contain_text("finished · 2 of 4 answered · 1 failed · 1 broken off")
    cut, empty, _, _ = notes = page.locator(".lk-note").all_text_contents()
    assert cut == "Cut off: it reached the longest answer allowed (max_tokens)."
    assert empty == "The answer is empty."
    page.get_by_role("link", name="Choose two to compare").click()
    expect(page.locator(".status")).to_have_text(["done", "done", "failed", "broken off"])
    for box in page.locator(".executions input").all()[2:]:
        box.check()
    page.get_by_role("button", name="Compare the two that are ticked").click()
    expect(page.get_by_role("group", name="Error")).to_have_text(notes[2:])
    expect(page.locator(".two :is(del, ins)")).to_have_text(["One, two, "])
    page.go_back()
    page.locator(".executions a").first.click()
    expect(page.get_by_role("definition").filter(has_text=cut)).to_be_visible()


def test_what_cannot_be_asked_is_not_offered(open_page: Opener, service: Running) -> None:
    """A model without its key stands apart, cannot be chosen, and says what it lacks. Who may not ask is told
    who can change that."""
    page = open_page()
    keyless = page.get_by_label("elsewhere/keyless", exact=True)
    expect(page.get_by_label("scripted/brief", exact=True)).to_be_enabled()
    expect(keyless).to_be_hidden()
    page.get_by_label("Search by name").fill("keyless")
    expect(keyless).to_be_disabled()
    expect(keyless).to_have_accessible_description(
        re.compile("needs a key and ELSEWHERE_API_KEY was not found")
    )
    expect(page.get_by_text("1 not ready: the key or the weights are missing")).to_be_visible()
    page.get_by_label("Search by name").fill("nosuch")
    expect(page.get_by_text("No model has that name.")).to_be_visible()
    expect(page.get_by_text("not ready")).to_be_hidden()
    with service.service.state.writing() as rows:
        accounts.add_user(rows, "nemo", KEPT)
        accounts.remove(rows, "default", "nemo")
    page = open_page("nemo")
    expect(page.get_by_text("You are in no workspace yet.")).to_be_visible()


def end_log_ins(service: Running, name: str) -> None:
    """End all of somebody's sessions."""
    with service.service.state.writing() as rows:
        sessions.end_all(rows, rows.scalars(select(User.id).where(User.name == name)).one())


def test_another_user_sees_nothing_of_what_was_written(open_page: Opener, service: Running) -> None:
    """Who logs in after somebody else's log-in ended finds an empty form, and a viewer none."""
    page = open_page("root")
    page.get_by_label("Prompt").fill("A secret")
    end_log_ins(service, "root")
    page.reload()
    log_in(page, "otto")
    expect(page.get_by_label("Workspace")).to_have_value("other")
    expect(page.get_by_label("Prompt")).to_have_value("")
    assert "A secret" not in page.evaluate("() => JSON.stringify(sessionStorage)")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("Nothing was asked yet.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    log_in(page, "vic")
    expect(page.get_by_text("You may read in your workspaces but not ask.")).to_be_visible()


def test_history_is_filtered_and_paged(open_page: Opener, service: Running) -> None:
    """Filters stand in the address, older executions are a page further on, two of them are compared."""
    service.bearer("ada")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: service.execute(f"Paged {number}", "scripted/hostile-2"), range(26)))
    page = open_page("ada", "/#history?model_id=scripted%2Fhostile-2&q=Paged&status=completed&user_id=ada")
    expect(page.locator(".executions li")).to_have_count(25)
    newest = set(page.locator(".beginning:not(.soft)").all_text_contents())
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".executions li")).to_have_count(1)
    oldest = set(page.locator(".beginning:not(.soft)").all_text_contents())
    assert newest | oldest == {f"Paged {number}" for number in range(26)}
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(".executions li")).to_have_count(25)
    boxes = page.locator(".executions input").all()[:3]
    for box in boxes:
        box.check()
    expect(page.get_by_role("button", name="Tick only two to compare them")).to_be_disabled()
    boxes[2].uncheck()
    compare = page.get_by_role("button", name="Compare the two that are ticked")
    expect(compare).to_be_in_viewport()  # and not below all that is listed
    compare.click()
    expect(page.locator(".two del, .two ins")).to_have_count(2)
    page.goto(f"{service.url}/#history?status=failed&q=Paged")
    expect(page.get_by_text("Nothing was found.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".executions li")).to_have_count(25)
    page.goto(f"{service.url}/#execution/none")
    expect(page.get_by_role("alert")).to_contain_text("Execution not found")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    page.goto(f"{service.url}/#run/none")
    expect(page.get_by_role("alert")).to_be_visible()


def test_what_cannot_be_reached_is_tried_again(open_page: Opener) -> None:
    """Where a proxy answers in the service's place, the page says so, and shows what was asked for once it is
    there."""
    page = open_page("vic")
    expect(page.get_by_role("heading", name="Ask")).to_be_visible()
    page.route("**/api/v1/executions*", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("alert")).to_have_text("The service cannot be reached. Is it running? Try again.")
    page.unroute("**/api/v1/executions*")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def test_hostile_texts_are_shown_and_never_run(open_page: Opener, service: Running) -> None:
    """What models, prompts, labels and blocks say is text in every view, its hidden characters as codes."""
    page = open_page()
    page.get_by_label("(scripted/hostile)").check()
    ask(page, ALL, "hostile-2")
    expect(page.get_by_role("link", name="Compare the two")).to_be_visible()
    assert texts(page) == [shown(ALL), shown(f"{ALL} more")]
    run = page.evaluate("() => location.hash")
    rows = service.ask("GET", f"/executions?run_id={run.removeprefix('#run/')}").json()
    first, second = (row["id"] for row in rows)
    for view, title in (
        ("#history", "History"),
        (f"#execution/{first}", "Execution"),
        (f"#compare/{first}/{second}", "Compare"),
        ("#ask", "Ask"),
        (run, "Run"),
    ):
        page.goto(f"{service.url}/{view}")
        expect(page).to_have_title(f"{title} · labkit")
        expect(page.locator("main")).to_contain_text(HOSTILE[0])
        acting = "main :is(img, script, iframe, svg, style, b, a[href^='javascript'], [onerror], [onload])"
        assert page.locator(acting).count() == 0
        assert not set("\u202e\u2066\u200b\x1b") & set(page.locator("main").inner_text())
