"""What Litestar hands to an endpoint that asks for it, as it is."""

from typing import Annotated

from litestar.params import Dependency

from app import assembly, http

_AS_IT_IS = Dependency(skip_validation=True)
Services = Annotated[assembly.Services, _AS_IT_IS]
Caller = Annotated[http.Caller, _AS_IT_IS]
Callers = Annotated[http.Callers, _AS_IT_IS]
