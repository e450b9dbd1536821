"""What reaches the pages, and how fast it has to come.

waitress reads requests in one thread and answers them in eight. Here it learns three things besides. A body is read only
as far as its sender may send it: a little from everybody; more on the few routes that take files, once the pages
themselves have said that this sender may use them. A sender who is slow is not waited for. And no address keeps the
others out: where it has as many connections as it may, the one that has waited longest for its sender is closed.
"""

from __future__ import annotations

import copy
import errno
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import MultiSocketServer, TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error, RequestEntityTooLarge
from waitress.wasyncore import close_all

from wellserved.errors import RequestError

Network = IPv4Network | IPv6Network
Application = Callable[[dict[str, Any], Callable[..., Any]], Any]
UPLOAD_CHECK: Final = (
    "wellserved.asked"  # in the environment of a request without body: answer 204 if one with body may come
)
LINGER_SECONDS: Final = 2.0  # seconds in which a refused sender can still read the answer
_SHUTDOWN_WRITE: Final = 1  # SHUT_WR


@dataclass(frozen=True)
class ServerLimits:
    """What one server takes: bytes, seconds, connections; and the proxies whose word it believes."""

    body: int = 64 * 2**10  # bytes of a body, where nothing is uploaded
    # pattern of a path -> bytes, from whoever may use that page
    uploads: Mapping[str, int] = field(default_factory=dict)
    header_seconds: float = 10.0
    body_seconds: float = 20.0  # and a second more for every `body_rate` bytes that came
    body_rate: int = 16 * 2**10
    connections_per_address: int = 64
    connections: int = 400
    proxies: tuple[Network, ...] = ()

    def body_limit(self, path: str) -> int:
        """Bytes of a body that a path takes."""
        return next((size for pattern, size in self.uploads.items() if re.fullmatch(pattern, path)), self.body)


class _SlowError(Error):  # type: ignore[misc]
    code = 408
    reason = "Request Timeout"


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, parted by commas."""
    try:
        return tuple(ip_network(network.strip()) for network in text.split(",") if network.strip())
    except ValueError as error:
        raise RequestError(
            f"WELLSERVED_TRUSTED_PROXIES cannot be read: {error}.",
            "Name addresses or networks, parted by commas: 127.0.0.1, 10.0.0.0/8.",
        ) from error


def client_of(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Where a request comes from: of a trusted proxy, what it says in X-Forwarded-For, back to the first that is not trusted."""
    client = peer
    for hop in reversed(forwarded_for.split(",")):
        address = _address(hop)
        if address is None or not is_trusted(client, proxies):
            break
        client = str(address)
    return client


def is_trusted(address: str, proxies: Sequence[Network]) -> bool:
    """An address belongs to a proxy that was named."""
    number = _address(address)
    return number is not None and any(number in network for network in proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it, with or without a port; None: it is none."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        number = ip_address(text)
    except ValueError:
        return None
    return (number.ipv4_mapped or number) if isinstance(number, IPv6Address) else number


def _counted_network(address: str) -> str:
    """What counts as one address: with IPv6 a network of 64 bits, since every household has one."""
    number = _address(address)
    return str(ip_network(f"{number}/64", strict=False)) if isinstance(number, IPv6Address) else address


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """One request, whose body is taken in only as far as its sender may send it."""

    completed: bool
    error: Error | None
    expect_continue: bool
    needs_permission = False  # its sender has yet to be found to be somebody who may send as much
    awaits_continue = False  # its sender waits to be told to go on
    held_data = b""  # what came meanwhile

    def __init__(self, adj: Any) -> None:
        super().__init__(copy.copy(adj))  # its own, since the limit is that of its path
        self.begun_at = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        """The limit stands with the path; a body larger than everybody's is asked about first."""
        super().parse_header(header_plus)
        self.begun_at = time.monotonic()
        limits: ServerLimits = self.adj.limits
        largest = limits.body_limit(self.path)
        self.adj.max_request_body_size = largest + 1
        self.needs_permission = largest > limits.body and (self.chunked or self.content_length > limits.body)

    def received(self, data: bytes) -> int:
        """Take in what came; returns how many bytes of it are this request's."""
        if self.needs_permission:
            self.held_data += data
            return len(data)
        return self._read(data)

    def _read(self, data: bytes) -> int:
        byte_count: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error = self.too_large()
        self.needs_permission = self.needs_permission and not self.completed
        if self.needs_permission or self.completed:  # nobody is told to go on with what is not wanted, or not yet
            self.awaits_continue, self.expect_continue = self.expect_continue, False
        return byte_count

    def too_large(self) -> Error:
        """The refusal, in a sentence."""
        size = self.adj.max_request_body_size - 1
        words = f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size / 2**10:,.0f} KiB"
        return RequestEntityTooLarge(f"Nothing larger than {words} can be sent here.")

    def decide(self, is_allowed: bool) -> bytes:
        """Go on with the limit of the path, or with everybody's; returns what came meanwhile."""
        if not is_allowed:
            self.adj.max_request_body_size = self.adj.limits.body + 1
        self.needs_permission, self.expect_continue, self.begun_at = False, self.awaits_continue, time.monotonic()
        held_data, self.held_data = self.held_data, b""
        return held_data

    def timeout_reason(self, now: float) -> str:
        """Why it is waited for no longer; empty: it has time yet."""
        limits: ServerLimits = self.adj.limits
        if self.needs_permission:
            return ""
        if not self.headers_finished:
            return "The head of the request took too long." if now - self.begun_at > limits.header_seconds else ""
        seconds = limits.body_seconds + self.body_bytes_received / limits.body_rate
        return "The body of the request came too slowly." if now - self.begun_at > seconds else ""


class Task(WSGITask):  # type: ignore[misc]
    """A request for the pages, with the address it really comes from."""

    def get_environment(self) -> dict[str, Any]:
        """The environment; what a proxy says of the outside is believed of those that are trusted alone."""
        environ: dict[str, Any] = super().get_environment()
        proxies = self.channel.adj.limits.proxies
        if is_trusted(self.channel.peer, proxies):
            environ["REMOTE_ADDR"] = self.channel.client_of(self.request)
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return environ


class HttpRefusal(ErrorTask):  # type: ignore[misc]
    """An answer to a request that is not taken; its sender is to read it, whatever they still send."""

    def execute(self) -> None:
        """Answer."""
        self.channel.is_refused = True
        super().execute()


class UploadCheck:
    """Whether the sender of a large body may send it: put to the pages in one of their threads, for they look it up."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def service(self) -> None:
        """Ask as if the page were opened; the door, the session and the key's scopes answer as ever."""
        is_allowed, statuses = False, list[str]()
        try:
            environ = Task(self.channel, self.channel.request).get_environment()
            environ |= {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0", "wsgi.input": BytesIO(), UPLOAD_CHECK: True}
            answer = self.channel.server.application(environ, lambda status, *_: statuses.append(status))
            if hasattr(answer, "close"):
                answer.close()
            is_allowed = bool(statuses) and statuses[-1].startswith("204")
        finally:
            self.channel.apply_permission(is_allowed)

    def cancel(self) -> None:
        """The server ends."""
        self.channel.cancel()


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    parser_class, task_class, error_task_class = Parser, Task, HttpRefusal
    request: Parser | None
    requests: list[Parser]
    connected: bool
    will_close: bool
    is_asking = False  # it is being asked whether the request may be as large; nothing more is read meanwhile
    is_refused = False
    linger_until = 0.0  # until when what comes is thrown away, after a refusal; 0: it is not

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002
        super().__init__(server, sock, addr, adj, map=map)
        self.peer, self.opened_at = str(addr[0]), time.monotonic()
        self.is_proxied = is_trusted(self.peer, adj.limits.proxies)
        server.make_room(self)

    def client_of(self, request: Parser) -> str:
        """The address that a request comes from."""
        return client_of(self.peer, request.headers.get("X_FORWARDED_FOR", ""), self.adj.limits.proxies)

    @property
    def client(self) -> str:
        """Whom the connection counts for; empty: a proxy's, between two requests."""
        if not self.is_proxied:
            return _counted_network(self.peer)
        for request in (self.request, *self.requests):
            if request is not None and (request.headers_finished or request.completed):
                return _counted_network(self.client_of(request))
        return ""

    @property
    def eviction_order(self) -> tuple[bool, float]:
        """Orders connections by how soon they can be done without: those that wait for their sender first."""
        request = self.request
        return bool(self.total_outbufs_len), self.opened_at if request is None else request.begun_at

    def readable(self) -> bool:
        """Something more may be read."""
        return bool(self.linger_until) or (not self.is_asking and bool(super().readable()))

    def received(self, data: bytes) -> bool:
        """Bytes came."""
        if self.linger_until:
            return False
        previous_client = self.client
        has_received: bool = super().received(data)
        if self.request is not None and self.request.needs_permission:
            self.is_asking = True
            self.server.add_task(UploadCheck(self))
        if self.client not in ("", previous_client):  # a proxy has said whom this is for
            self.server.make_room(self)
        return has_received

    def apply_permission(self, is_allowed: bool) -> None:
        """Go on reading, now that it is known how much the sender may send."""
        request = self.request
        if self.connected and request is not None:
            held_data = request.decide(is_allowed)
            if request.content_length >= request.adj.max_request_body_size:
                self.refuse(request, request.too_large())
            elif held_data:
                super().received(held_data)
            elif request.expect_continue and not self.requests:
                self.send_continue()
        self.is_asking = False
        self.server.pull_trigger()

    def refuse(self, request: Parser, error: Error) -> None:
        """Answer the request that is being read, however much of it came, and close."""
        with self.requests_lock:
            self.request = None
            if not request.headers_finished:
                request.parse_header(b"GET / HTTP/1.0\r\n")
            request.error = error
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    def check_time(self, now: float) -> None:
        """End what takes too long."""
        if self.linger_until:
            self.will_close = now > self.linger_until
        elif (request := self.request) is not None and not self.will_close and (reason := request.timeout_reason(now)):
            self.refuse(request, _SlowError(reason))

    def handle_close(self) -> None:
        """A connection closed while bytes still come takes the answer along: after a refusal they are read and thrown away."""
        if self.is_refused and self.connected and not self.linger_until:
            self.will_close, self.linger_until = False, time.monotonic() + LINGER_SECONDS
            try:
                self.socket.shutdown(_SHUTDOWN_WRITE)
                return
            except OSError:  # its sender is gone
                pass
        super().handle_close()


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket."""

    channel_class = Channel

    def make_room(self, newest: Channel) -> None:
        """Whoever comes gets in: where an address, or all together, have more than they may, the one that waited longest goes."""
        channels = [
            channel for channel in list(self._map.values()) if isinstance(channel, Channel) and not channel.will_close
        ]
        client, limits = newest.client, self.adj.limits
        client_channels = [channel for channel in channels if client and channel.client == client]
        for group, maximum in ((client_channels, limits.connections_per_address), (channels, limits.connections)):
            if len(group) > maximum:
                waiting_channels = [channel for channel in group if channel is not newest and not channel.requests]
                min(waiting_channels, key=lambda channel: channel.eviction_order, default=newest).will_close = True

    def maintenance(self, now: float) -> None:
        """Once a second: connections that rest, and senders that are slow."""
        super().maintenance(now)
        instant = time.monotonic()
        for channel in list(self.active_channels.values()):
            channel.check_time(instant)


def listen(application: Application, host: str, port: int, limits: ServerLimits) -> Any:
    """A server that listens, to be `run()`; RequestError where it cannot, in a sentence."""
    if not 0 < port < 2**16:
        raise RequestError(f"There is no port {port}.", "Choose one from 1 to 65535 with --port.")
    try:
        settings = Adjustments(
            host=host, port=port, threads=8, ident=None, clear_untrusted_proxy_headers=False, asyncore_use_poll=True,
            connection_limit=10 * limits.connections, cleanup_interval=1, max_request_header_size=32 * 2**10)  # fmt: skip
    except ValueError as error:
        raise _listen_error(host, port, OSError(errno.EADDRNOTAVAIL, "")) from error
    settings.limits = limits
    sockets: dict[int, Any] = {}
    dispatcher = ThreadedTaskDispatcher()
    try:
        servers = [
            Server(application, sockets, dispatcher=dispatcher, adj=settings, sockinfo=socket_info)
            for socket_info in settings.listen
        ]
    except OSError as error:
        close_all(sockets)
        raise _listen_error(host, port, error) from error
    dispatcher.set_thread_count(settings.threads)
    return MultiSocketServer(
        sockets, settings, [(server.effective_host, server.effective_port) for server in servers], dispatcher
    )


def _listen_error(host: str, port: int, error: OSError) -> RequestError:
    """Why nobody can listen there."""
    if error.errno == errno.EADDRINUSE:
        return RequestError(
            f"Something else already listens on port {port} of {host}.", "Stop it, or choose another port with --port."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return RequestError(
            f"This account may not listen on port {port}.", "Choose one from 1024 to 65535 with --port."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return RequestError(
            f"This computer has no address {host!r}.",
            "Use --host 127.0.0.1 for this computer alone, or 0.0.0.0 for every address that it has.",
        )
    return RequestError(f"Port {port} of {host} cannot be used: {error.strerror or error}.", "Choose another.")
