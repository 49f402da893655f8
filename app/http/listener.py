"""Which of the two doors a request came in by, and what that door believes."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from app.config.sections import Config

Name = Literal["public", "admin"]
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_DEVELOPMENT_ORIGIN = "http://localhost:8888"  # where the reference's frontends run
_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?")


@dataclass(frozen=True)
class Listener:
    """A listener's view of the configuration, worked out once."""

    name: Name
    config: Config
    _hosts: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def is_public(self) -> bool:
        """Say whether browsers come here."""
        return self.name == "public"

    @cached_property
    def is_https(self) -> bool:
        """Say whether the world reaches the public listener by TLS."""
        return self.config.server.public.url.startswith("https://")

    @cached_property
    def own_schemes(self) -> tuple[str, ...]:
        """The schemes under which a page of ours can have been opened."""
        return ("https",) if self.is_https else ("http", "https")

    def accepts_host(self, host: str) -> bool:
        """Say whether a Host header names this deployment, by whole literals (SEC-102)."""
        known = self._hosts.get(host)
        return self._judge(host) if known is None else known

    def accepts_origin(self, origin: str) -> bool:
        """Say whether a web page of *origin* may call with credentials (SEC-101)."""
        return origin in self._origins or any(p.fullmatch(origin) for p in self._patterns)

    @cached_property
    def allows_any_origin(self) -> bool:
        """Say whether the unsafe `*` is configured; it never comes with credentials."""
        return "*" in self.config.cors.allow_origins

    @cached_property
    def own_origin(self) -> str:
        """The origin of the public URL."""
        url = urlsplit(self.config.server.public.url)
        return f"{url.scheme}://{url.netloc}"

    def _judge(self, host: str) -> bool:
        lowered = host.lower()
        shape = _HOST.fullmatch(lowered)
        accepted = shape is not None and (lowered in self._names or shape[1] in self._names)
        if accepted and len(self._hosts) < 100:  # noqa: PLR2004  # spellings are few, memory is not
            self._hosts[host] = True
        return accepted

    @cached_property
    def _names(self) -> frozenset[str]:
        server = self.config.server
        local = () if self.config.is_production else _LOCAL
        return frozenset(
            name.lower()
            for name in (urlsplit(server.public.url).netloc, *server.allowed_hosts, *local)
        )

    @cached_property
    def _origins(self) -> frozenset[str]:
        given = self.config.cors.allow_origins
        if not given and not self.config.is_production:
            return frozenset({_DEVELOPMENT_ORIGIN})
        return frozenset(o for o in given if "*" not in o)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        label = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
        wild = [o for o in self.config.cors.allow_origins if "*." in o]
        return [re.compile(re.escape(o).replace(r"\*", label)) for o in wild]
