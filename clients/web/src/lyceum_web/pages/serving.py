"""Files for the browser, and whether this process is well."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from lyceum_web.errors import PageRefused
from lyceum_web.visit import Visit

KEPT = "public, max-age=31536000, immutable"


async def static_file(visit: Visit) -> Response:
    """A file under the digest of its content, so that it may be kept for ever."""
    asset = visit.site.assets.by_name.get(visit.request.path_params["name"])
    if asset is None or asset.digest != visit.request.path_params["digest"]:
        raise PageRefused(404, "refused.not_found")
    headers = {"cache-control": KEPT, "vary": "Accept-Encoding", "content-type": asset.kind}
    if "gzip" in visit.request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.body, headers=headers)


async def health(visit: Visit) -> Response:
    """200 while this process serves, 503 once it was asked to end. It asks nobody else."""
    is_draining = visit.site.is_draining
    return PlainTextResponse("draining\n" if is_draining else "ok\n", 503 if is_draining else 200)
