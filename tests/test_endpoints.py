"""labkit.endpoints: which addresses a key and a prompt may be sent to (groups B2 and S17)."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit.endpoints import addresses_of, check_base_url, check_hook, is_loopback, is_own_host


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("HTTPS://API.Example.com:443/v1/", "https://api.example.com/v1"),
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/a/b//", "https://example.com:8443/a/b"),
        ("https://example.com:00443/v1", "https://example.com/v1"),
        ("https://xn--ls8h.la/v1", "https://xn--ls8h.la/v1"),
        ("https://example.com/my%20proxy/m:predict", "https://example.com/my%20proxy/m:predict"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://10.0.0.5/v1", "https://10.0.0.5/v1"),
        ("https://my-host_1.internal/v1", "https://my-host_1.internal/v1"),
    ],
)
def test_good_addresses_get_one_form(url, normal):
    """B2: encrypted addresses, and plain ones on this machine, are taken in one normal form."""
    assert check_base_url(url) == (normal, [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("api.example.com/v1", "must begin with https"),
        ("//api.example.com/v1", "must begin with https"),
        ("ftp://example.com", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("https://", "names no host"),
        ("https:///v1", "names no host"),
        ("http://example.com/v1", "not encrypted"),
        ("http://localhost.example.com/v1", "not encrypted"),
        ("http://127.0.0.1.example.com/v1", "not encrypted"),
        ("https://example.com/v1/v1", "/v1 twice"),
        ("https://example.com/v1/v1/", "/v1 twice"),
        ("https://user:secret@example.com/v1", "user or a password"),
        ("https://user@example.com/v1", "user or a password"),
        ("https://127.0.0.1@evil.example/v1", "user or a password"),
        ("https://example.com\\@evil.example/v1", "backslashes"),
        ("https://example.com/v1?api_key=1", "query"),
        ("https://example.com/v1#x", "fragment"),
        ("https://example.com/v1 ", "blanks"),
        ("https://exa\tmple.com/v1", "blanks"),
        ("https://example.com/v1\r\nX-Evil: 1", "blanks"),
        ("https://ex\u00e4mple.com/v1", "not ASCII"),
        ("https://\uff11\uff12\uff17.0.0.1/v1", "not ASCII"),
        ("https://example.com:99999/v1", "cannot be read"),
        ("https://example.com:abc/v1", "cannot be read"),
        ("https://example.com:0/v1", "port 0"),
        ("https://example.com/a/../b", "goes up"),
        ("https://example.com/v1/chat/completions", "/chat/completions"),
        ("https://api.anthropic.com/v1/messages/", "/messages"),
        ("https://exam ple.com", "blanks"),
        ("https://-x.com/v1", "no name"),
        ("https://a..b/v1", "no name"),
        (f"https://{'a' * 300}.com/v1", "no name"),
        ("https://[::1/v1", "cannot be read"),
    ],
)
def test_bad_addresses_are_refused_with_a_reason(url, why):
    """B2: each way an address can be wrong is refused by name."""
    normal, faults = check_base_url(url)
    assert normal is None
    assert any(why in fault for fault in faults), faults


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]evil.com/",
        "http://[::1]evil.com:80/v1",
        "https://[::1].evil.com/v1",
        "http://[::1]:80evil.com/",
        "http://evil.com[::1]/",
        "http://evil.com:80[::1]/v1",
        "https://[::1]]/",
        "https://[[::1]]/",
        "https://[v1.x]/",
        "https://[]/",
        "https://[10.0.0.1]/",
        "https://[abc]/",
        "http://[::1%25eth0]/v1",
        "http://[::1%eth0]/v1",
        "https://[2606:4700::1%25lo]/",
        "http://localhost./v1",
        "http://127.0.0.1./v1",
        "https://example.com./v1",
        "https://example.com../v1",
        "https://./v1",
        "https://metadata.google.internal./",
        "https://169.254.169.254./",
        "https://gpu-box.:8000/v1",
        "http://127.0.0.1;@evil.com/",
        "http://localhost;@evil.com/v1",
        "https://example.com;@evil.com/",
        "http://a;.evil.com/",
        "https://example.com/v1;@evil.com",
        "https://example.com/;@evil.com",
        "https://example.com/v1;p=1",
        "https://example.com,evil.com/",
        "https://example.com&@evil.com/",
        "https://@example.com/",
        "https://:@example.com/",
        "https://example.com%00.evil.com/",
        "https://example.com%2f@evil.com/",
        "https://example%2ecom/",
        "https://localhost%20/",
        "https://example.com%5c.evil.com/",
        "https://http://evil.com",
        "https://example.com:/v1",
        "https://example.com:+443/",
        "https://example.com:4_43/",
        "https://example.com:-1/",
        "https://example.com:443:80/",
        "https://example.com//evil.com/v1",
        "https://example.com/v1//x",
        "https://example.com/./v1",
        "https://example.com/.%2e/x",
        "https://example.com/%252e%252e/x",
        "https://example.com/v1/%2f..",
        "https://example.com/a%0d%0aHost:x",
        "https://example.com/a%00",
        "https://example.com/v1%3fkey=1",
        "https://example.com/v1%23",
        "https://example.com/a%5c..",
        "https://example.com/v1|x",
        "https://example.com/v1[x]",
        "https://example.com/{v1}",
        "https://example.com/%zz",
        "https://xn--a/v1",
        "https://xn--/v1",
        "https://*.com/",
        "https://$example.com/",
        "https://example.com~/",
        "http:/127.0.0.1/",
        "http:127.0.0.1",
        "http:///127.0.0.1/",
        "https:/\\evil.com",
        "https://example.com\\.evil.com/",
        "https://0",
        "https://1.2.3.4.5/",
    ],
)
def test_what_two_readers_may_read_differently_is_refused(url):
    """S17: hosts behind brackets, dots, semicolons, escapes and doubled slashes: there is one spelling."""
    normal, faults = check_base_url(url)
    assert normal is None
    assert faults


@pytest.mark.parametrize(
    "host",
    [
        "168.63.129.16",
        "192.0.0.192",
        "192.0.0.170",
        "[::ffff:168.63.129.16]",
        "[::ffff:a83f:8110]",
        "[::a83f:8110]",
        "[64:ff9b::a83f:8110]",
        "[64:ff9b:1::a83f:8110]",
        "[2002:a83f:8110::1]",
        "[2002:c000:c0::1]",
        "[2606:4700::5efe:a83f:8110]",
        "[2606:4700::200:5efe:c000:c0]",
        "[fec0::1]",
        "[fd20:ce::254]",
        "[fd00:ec2::254]",
        "metadata.azure.internal",
        "metadata.tencentyun.com",
        "169.254.169.254",
        "169.254.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "255.255.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "100.100.100.200",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "1.2.3",
        "127.0.0.01",
        "[fd00::1]",
        "[fe80::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[ff02::1]",
        "metadata.google.internal",
        "metadata",
    ],
)
def test_hosts_that_lead_astray_are_refused(host):
    """S17: link-local and metadata addresses, and numbers in disguise, are refused, encrypted or not."""
    for scheme in ("http", "https"):
        normal, faults = check_base_url(f"{scheme}://{host}/v1")
        assert normal is None, host
        assert faults


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://gpu-box:8000/v1", "gpu-box"),
        ("http://10.0.0.5/v1", "10.0.0.5"),
        ("http://169.254.169.254/v1", "169.254.169.254"),
        ("https://[fd00::1]/v1", "fd00::1"),
    ],
)
def test_a_host_can_be_allowed_by_name(url, host):
    """S17: what is meant can be said: the host is then taken, and no other."""
    assert check_base_url(url)[0] is None
    assert check_base_url(url, allow_host=host) == (url, [])
    normal, faults = check_base_url(url, allow_host="other.example")
    assert normal is None
    assert "is not the host" in faults[0]


def test_numbers_for_hosts_are_refused_even_when_allowed():
    """S17: a host written as a number reads differently to different readers, so it is never taken."""
    assert check_base_url("http://2130706433/", allow_host="2130706433")[0] is None


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("93.184.216.34", True),
        ("168.63.129.16", False),
        ("::ffff:192.0.0.192", False),
        ("10.1.2.3", True),
        ("169.254.169.254", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_a_name_is_held_to_the_rules_of_its_addresses(address, taken):
    """S17: a name that resolves to a forbidden address is refused, unless it is allowed by name."""
    url = "https://innocent.example/v1"
    assert (check_base_url(url, resolve=lambda host: [address])[0] == url) is taken
    assert check_base_url(url, resolve=lambda host: [address], allow_host="innocent.example")[0] == url


def test_passwords_and_queries_are_not_shown():
    """A fault about an address shows neither the password nor the query in it."""
    for url in (
        "https://me:hunter2@example.com/v1",
        "https://example.com/v1?key=hunter2",
        "ftp://a:hunter2@x",
    ):
        _, faults = check_base_url(url)
        assert faults
        assert "hunter2" not in " ".join(faults)


def test_this_machine_is_known_by_its_addresses_and_its_name():
    """Loopback is 127.0.0.0/8, ::1 and localhost, and nothing that merely looks like it."""
    for url in ("http://localhost:1/v1", "http://127.9.9.9", "https://[::1]/", "http://LOCALHOST/"):
        assert is_loopback(url)
    for url in ("http://localhost.example.com", "http://127.0.0.1.example.com", "http://[::1", "", "x"):
        assert not is_loopback(url)
    for url in ("http://[::1]evil.com/", "http://evil.com[::1]/", "http://127.0.0.1./", "http://localhost./"):
        assert not is_loopback(url)


def test_a_providers_own_host_is_its_own_encrypted_host_only():
    """A key may go without being named only to the provider's own encrypted host."""
    assert is_own_host("https://api.openai.com/v1", "openai")
    assert not is_own_host("http://api.openai.com/v1", "openai")
    assert not is_own_host("https://api.openai.com.evil.example/v1", "openai")
    assert not is_own_host("https://api.openai.com@evil.example/v1", "openai")
    assert not is_own_host("https://api.anthropic.com", "openai")
    assert not is_own_host("https://example.com", "vllm")
    assert not is_own_host("https://[", "openai")
    assert not is_own_host("https://api.open\tai.com", "openai")
    assert not is_own_host("https://api.openai.com.", "openai")
    assert not is_own_host("", "vllm")


def test_addresses_of_this_machine():
    """The name server's answer is a list of addresses, empty for a name without any."""
    assert "127.0.0.1" in addresses_of("localhost")
    assert addresses_of("no such host \u00df" * 50) == []


@settings(deadline=None)
@given(st.text(max_size=60))
def test_whatever_is_written_there_is_an_answer(text):
    """No text makes the check fail: there is a normal form, or there are faults, never both."""
    for url in (text, "https://" + text, "http://[" + text):
        normal, faults = check_base_url(url)
        assert (normal is None) == bool(faults)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_ordinary_address_in_plain_is_this_machine(address):
    """No IPv4 address but loopback is ever taken unencrypted."""
    normal, _ = check_base_url(f"http://{address}/v1")
    assert (normal is not None) == address.is_loopback


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_encrypted_ipv6_is_public_or_this_machine(address):
    """No private, mapped or special IPv6 address is taken, in whatever spelling."""
    for spelling in (str(address), address.exploded):
        normal, _ = check_base_url(f"https://[{spelling}]/v1")
        if normal is not None:
            host = ipaddress.ip_address(normal[9:-4])
            assert host == address
            assert host.is_loopback or not (host.is_private or host.is_link_local or host.ipv4_mapped)


@settings(deadline=None)
@given(
    st.from_regex(
        r"https://[a-z][a-z0-9-]{0,20}[a-z0-9](\.[a-z]{2,5}){1,2}(:[1-9][0-9]{1,3})?(/[a-z0-9]{1,8}){0,3}/?",
        fullmatch=True,
    )
)
def test_a_normal_form_is_its_own_normal_form(url):
    """Normalising twice gives the same as normalising once."""
    normal, faults = check_base_url(url)
    if normal is not None:
        assert check_base_url(normal) == (normal, [])
    else:
        assert faults


@settings(deadline=None, max_examples=400)
@given(
    st.lists(
        st.sampled_from(
            [
                "http://",
                "https://",
                "example.com",
                "evil.com",
                "localhost",
                "127.0.0.1",
                "[::1]",
                "[::ffff:7f00:1]",
                "0x7f",
                "1.2",
                ".",
                "..",
                "/",
                "//",
                "\\",
                "@",
                ":",
                ";",
                "?",
                "#",
                "&",
                "%",
                "%2f",
                "%40",
                "%00",
                "%2e",
                ":",
                ":443",
                ":0",
                "user",
                "pass",
                "xn--a",
                "_",
                "-",
                "\t",
                "\n",
                "[",
                "]",
                "％",
                "。",
                "ｅ",
                "/v1",
            ]
        ),
        max_size=8,
    )
)
@example(["xn--a", "_"])
@example([".xn--bcher-kva", ".a_b.c"])
@example([".xn--bcher-kva", ".ab--c.d"])
def test_every_reader_reads_the_host_that_was_judged(pieces):
    """What is taken is one host and one port to us, to httpx2, and to yarl, under which aiohttp connects."""
    import httpx2
    import yarl

    for begin in ("", "https://", "http://127.0.0.1", "https://example.com"):
        url = begin + "".join(pieces)
        normal, _ = check_base_url(url)
        if normal is None:
            continue
        for form in (url, normal):
            judged = form.split("//")[1].split("/")[0].lower()
            here = httpx2.URL(form)
            there = yarl.URL(form)
            host, port = there.host, there.port
            assert (here.host, here.port or {"http": 80, "https": 443}[here.scheme]) == (host, port)
            assert judged.removesuffix(f":{port}").strip("[]") == host
            assert here.path == there.path or here.path in ("", "/")


@pytest.mark.parametrize("key", ["sk-proj-abcdefghijklmnopqrstuvwx", "sk-a.b/c:d", "sk-proj-abcdefgh\n"])
def test_a_key_in_place_of_an_address_is_not_shown(key: str) -> None:
    """Of a text that is no address the fault tells how long it is."""
    _, faults = check_base_url(key)
    assert len(faults) == 1
    assert f"({len(key)} characters, not shown)" in faults[0]
    assert key[:8] not in faults[0]


HOOK_PIECES = (
    "hooks.example.com 127.0.0.1 evil.com / // /T0/B0 ? & = # @ : :443 ; % %2f %40 %0a .. . [::1] [ \\ a=b"
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(HOOK_PIECES.split()), max_size=8))
@example(["hooks.example.com", "?", "@", "evil.com"])
@example(["hooks.example.com", "/T0/B0", "?", "a=b", "@", "evil.com"])
def test_every_reader_reads_the_host_of_a_hook_that_was_judged(pieces):
    """What is taken as a webhook is one host and query to whoever sends it, and its host is a good one."""
    import httpx2
    import yarl

    for begin in ("", "https://", "http://127.0.0.1", "https://hooks.example.com/"):
        url = begin + "".join(pieces)
        if check_hook(url, called="HOOK"):
            continue
        scheme, _, rest = url.partition("://")
        judged = rest.partition("/")[0]
        assert check_base_url(f"{scheme}://{judged}")[1] == []
        here, there = httpx2.URL(url), yarl.URL(url, encoded=True)
        assert here.host == there.host == judged.removesuffix(":443").strip("[]")
        assert here.raw_path.decode().partition("?")[2] == there.raw_query_string == url.partition("?")[2]


@pytest.mark.parametrize(
    "url", ["https://user:T0HIDDEN@a.com/x", "https://a.com:T0HIDDEN/x", "https://T0 HIDDEN/"]
)
def test_of_a_hook_that_is_refused_nothing_is_shown(url):
    """A fault of a webhook's address holds nothing of an address whose host cannot be told."""
    faults = check_hook(url, called="HOOK")
    assert faults
    assert "HIDDEN" not in str(faults)
