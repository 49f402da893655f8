"""What Prometheus reads, on the admin listener alone (SEC-108)."""

from litestar import Response, get

from app import gauges
from app.metrics import MEDIA_TYPE
from app.rest.given import Services


@get("/metrics", tags=["health"], media_type="text/plain")
async def metrics(services: Services) -> Response[str]:
    """Give the counters of this process and what waits, in Prometheus's text format."""
    text = services.metrics.text(await gauges.read(services))
    return Response(text, headers={"content-type": MEDIA_TYPE})
