"""What every request passes on its way to a face: the gate, and who is asking."""

from app.http.answer import answer, problem, status_of
from app.http.asked import Asked, asked_of
from app.http.body import BodyRefused, read_json
from app.http.caller import Caller, Callers, bearer_of
from app.http.cookies import REFRESH_PATH, SessionCookie
from app.http.gate import App, Gate
from app.http.listener import Listener

__all__ = [
    "REFRESH_PATH",
    "App",
    "Asked",
    "BodyRefused",
    "Caller",
    "Callers",
    "Gate",
    "Listener",
    "SessionCookie",
    "answer",
    "asked_of",
    "bearer_of",
    "problem",
    "read_json",
    "status_of",
]
