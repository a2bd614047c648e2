"""Connections through the proxy, with real sockets and real TLS on both sides."""

import http.client
import json
import socket
import ssl
import threading
from dataclasses import replace

import pytest

from agent.sandbox.egress.rules import Place, Rule

from .conftest import HOST, TOKEN

pytestmark = pytest.mark.process


def test_a_listed_host_answers_and_the_connection_is_told(proxy, served):
    status, body, _ = proxy.open().ask(path="/x?y")
    assert (status, body) == (200, b"hello")
    assert served.seen[0][:2] == ("GET", "/x?y")
    told = proxy.told()[0]
    assert (told["to"], told["address"], told["requests"]) == (f"{HOST}:{served.port}", "127.0.0.1", 1)
    assert (told["received"], told["refused"]) == (5, [])


def test_several_requests_go_over_one_connection(proxy, served):
    client = proxy.open().client()
    for _ in range(3):
        client.request("POST", "/x", b"abc")
        assert client.getresponse().read() == b"hello"
    assert len(served.seen) == 3
    client.close()
    told = proxy.told()
    assert [(one["requests"], one["sent"]) for one in told] == [(3, 9)]


def test_a_body_without_a_length_is_passed_on(proxy, served):
    assert proxy.open().ask("POST", "/x", iter([b"ab", b"c"]), {"Transfer-Encoding": "chunked"})[0] == 200
    assert served.seen[0][3] == b"abc"


def test_a_request_with_two_ends_reaches_the_server_with_one(proxy, served):
    client = proxy.open().client()
    client.connect()
    head = f"POST /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
    client.sock.sendall(head.encode() + b"3\r\nabc\r\n0\r\n\r\n")
    client.sock.recv(1000)
    assert served.seen[0][3] == b"abc"
    assert "content-length" not in served.seen[0][2]


def test_an_unlisted_host_is_refused_before_anything_is_asked(proxy, served):
    with pytest.raises(OSError, match="403"):
        proxy.open().ask(host="evil.example")
    assert not served.seen
    refused = proxy.refused()[0]
    assert (refused["why"], refused["allow"]) == ("is not listed", f"evil.example:{served.port}")


def test_what_is_not_encrypted_is_refused(proxy):
    proxy.open()
    client = http.client.HTTPConnection(*proxy.address, timeout=120)
    client.request("GET", f"http://{HOST}/")
    assert b"only https" in client.getresponse().read()
    assert proxy.refused()


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_listed_name_that_leads_to_a_private_address_is_not_dialled(proxy, served, address):
    status, body, _ = proxy.open(resolve=lambda *_: [address]).ask()
    assert (status, served.seen) == (403, [])
    assert b"no public address" in body
    assert address in proxy.refused()[0]["what"]


def test_the_address_that_was_looked_at_is_the_one_that_is_dialled(proxy, served):
    """A name's server may give another answer the second time."""
    answers = iter([["10.0.0.1", "127.0.0.1"], ["10.0.0.1"]])
    assert proxy.open(resolve=lambda *_: next(answers)).ask()[0] == 200
    assert proxy.told()[0]["address"] == "127.0.0.1"


@pytest.mark.parametrize("name", ["evil.example", None])
def test_tls_must_name_the_host_of_the_connect(proxy, served, name):
    proxy.open()
    raw = socket.create_connection(proxy.address, timeout=120)
    raw.sendall(f"CONNECT {HOST}:{served.port} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    raw.recv(1000)
    trust = ssl.create_default_context(cadata=proxy.outside.identity.authority)
    trust.check_hostname = False
    with pytest.raises((ssl.SSLError, OSError)):
        trust.wrap_socket(raw, server_hostname=name).recv(1)
    assert not served.seen
    assert "TLS must name" in proxy.refused()[0]["why"]


def test_the_host_of_a_request_must_be_the_connects(proxy, served):
    status, _, _ = proxy.open().ask(headers={"Host": "other.example"})
    assert (status, served.seen) == (403, [])
    assert f"this connection is to {HOST}" in proxy.refused()[0]["why"]


def test_nothing_becomes_another_protocol(proxy, served):
    status, _, _ = proxy.open().ask(headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (status, served.seen) == (403, [])


def test_a_server_that_would_speak_another_protocol_is_refused(proxy, served):
    def switch(handler, _):
        handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        return 101, {}, None

    served.answer = switch
    assert proxy.open().ask()[0] == 502


@pytest.mark.parametrize(
    "location", ["https://evil.example/x", "//evil.example/x", f"http://{HOST}/x", "https://127.0.0.1/", "HTTPS://X.Y/"]
)
def test_a_redirect_to_an_unlisted_host_is_refused_and_told(proxy, served, location):
    served.answer = lambda *_: (302, {"Location": location}, b"")
    assert proxy.open().ask()[0] == 403
    assert proxy.refused()[0]["what"] == f"a redirect to {location}"


def test_a_redirect_within_the_list_is_passed_on(proxy, served):
    for location in ("/other", f"https://{HOST}:{served.port}/x"):
        served.answer = lambda *_, to=location: (302, {"Location": to}, b"")
        proxy.open() if not proxy.admitted else None
        assert proxy.ask()[2].headers["Location"] == location


def test_a_credential_is_added_outside_and_only_below_its_prefix(proxy, served):
    proxy.open()
    for path in ("/team/x", "/teams", "/"):
        proxy.ask(path=path, headers={"Authorization": "Bearer mine"})
    assert [seen[2]["authorization"] for seen in served.seen] == [f"Bearer {TOKEN}", "Bearer mine", "Bearer mine"]


def test_a_credential_is_sent_to_nobody_who_is_not_the_host(proxy, served):
    """The server shows a certificate of an authority that we do not trust."""
    assert proxy.open(trust=ssl.create_default_context()).client().connect() is None
    status, said, _ = proxy.ask(path="/team/x")
    assert (status, served.seen) == (502, [])
    assert b"certificate" in said
    assert "certificate" in " ".join(one["failed"] for one in proxy.told())


def test_one_that_comes_back_is_masked_in_headers_and_body(proxy, served):
    served.answer = lambda handler, _: (200, {"X-Echo": handler.headers["Authorization"]},
                                        json.dumps(dict(handler.headers)).encode())  # fmt: skip
    _, body, answer = proxy.open().ask(path="/team/x")
    assert TOKEN.encode() not in body
    assert b"Bearer " + b"*" * len(TOKEN) in body
    assert TOKEN not in str(answer.headers)
    assert int(answer.headers["Content-Length"]) == len(body)


def test_also_when_it_comes_in_pieces(proxy, served):
    def in_pieces(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for letter in f"[{TOKEN}]":
            handler.wfile.write(f"1\r\n{letter}\r\n".encode())
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")
        return 200, {}, None

    served.answer = in_pieces
    assert proxy.open().ask(path="/team/x")[1] == f"[{'*' * len(TOKEN)}]".encode()


def test_an_answer_with_a_credential_is_never_in_pieces_of_the_clients_choice_or_compressed(proxy, served):
    proxy.open().ask(path="/team/x", headers={"Range": "bytes=0-3", "If-Range": "x", "Accept-Encoding": "gzip"})
    assert served.seen[0][2]["accept-encoding"] == "identity"
    assert not {"range", "if-range"} & set(served.seen[0][2])
    served.answer = lambda *_: (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    assert proxy.ask(path="/team/x")[0] == 403


def test_without_a_credential_compression_and_ranges_stay(proxy, served):
    proxy.open().ask(path="/x", headers={"Range": "bytes=0-3", "Accept-Encoding": "gzip"})
    assert (served.seen[0][2]["accept-encoding"], served.seen[0][2]["range"]) == ("gzip", "bytes=0-3")


def test_headers_of_the_one_hop_are_not_passed_on(proxy, served):
    proxy.open().ask(headers={"Connection": "keep-alive, X-Mine", "X-Mine": "1", "Proxy-Authorization": "x", "TE": "x"})
    assert not {"x-mine", "proxy-authorization", "te"} & set(served.seen[0][2])


def push(ref, pack=b"PACK"):
    text = b"0" * 40 + b" " + b"2" * 40 + b" " + ref + b"\0report-status"
    return f"{len(text) + 4:04x}".encode() + text + b"0000" + pack


def test_a_push_to_a_branch_of_ours_is_passed_on_whole(proxy, served):
    body = push(b"refs/heads/jada/x", b"PACK" * 100_000)
    assert proxy.open().ask("POST", "/team/site.git/git-receive-pack", body)[0] == 200
    assert served.seen[0][3] == body


@pytest.mark.parametrize("path", ["/team/site.git/git-receive-pack", "/any.git/git-receive-pack"])
def test_any_other_push_is_refused_and_nothing_of_it_is_passed_on(proxy, served, path):
    status, body, _ = proxy.open().ask("POST", path, push(b"refs/heads/main", b"PACK" * 100_000))
    assert (status, served.seen) == (403, [])
    assert b"refs/heads/main" in body
    assert "jada/" in proxy.refused()[0]["why"]


def test_a_push_that_is_compressed_is_refused(proxy, served):
    given = {"Content-Encoding": "gzip"}
    assert proxy.open().ask("POST", "/team/site.git/git-receive-pack", push(b"refs/heads/jada/x"), given)[0] == 403
    assert not served.seen


def test_what_a_call_moves_is_bounded(proxy, served):
    served.answer = lambda *_: (200, {}, b"x" * 3_000_000)
    with pytest.raises((OSError, http.client.HTTPException)):
        proxy.open(megabytes=2).ask()
    assert "2 MB" in proxy.refused()[0]["why"]


def test_what_a_call_sends_counts_as_well(proxy, served):
    assert proxy.open(megabytes=1).ask("POST", "/x", b"x" * 2_000_000)[0] == 403
    assert all(len(seen[3]) <= 1 << 20 for seen in served.seen)


def test_an_answer_that_hangs_ends_with_the_call(proxy, served):
    held, ended = threading.Event(), threading.Event()

    def hang(*_):
        held.set()
        ended.wait(240)
        return 200, {}, b""

    served.answer = hang
    failed = []

    def ask():
        try:
            proxy.ask()
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)

    proxy.open()
    asking = threading.Thread(target=ask)
    asking.start()
    assert held.wait(60)
    assert len(proxy.told()) == 1
    asking.join(60)
    assert failed
    ended.set()


def test_a_hundred_connections_are_told_in_a_bounded_way(proxy):
    proxy.open()
    for _ in range(60):
        with pytest.raises(OSError, match="403"):
            proxy.ask(host="evil.example")
    told = proxy.told()
    assert (len(told), told[-1]) == (41, {"more": 20})


def test_a_place_with_a_longer_prefix_wins(proxy, served):
    rules = proxy.outside.rules
    closed = Rule(Place.read(f"{HOST}:{served.port}/shut"), frozenset({"HEAD"}))
    proxy.open(rules=replace(rules, rules=(*rules.rules, closed)))
    assert proxy.ask(path="/shut/x")[0] == 403
    assert proxy.ask(path="/shutter")[0] == 200
