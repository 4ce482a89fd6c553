"""A proxy before a real API server that fails as it is told. Everything else stays real."""

import asyncio

from support.kubernetes_faults import Answer, Faults


class FaultyApi(Faults):
    """The proxy of a cluster."""

    def __init__(self, cluster):
        self._cluster = cluster
        super().__init__(cluster)

    async def open(self, request):
        """Asks the API server, in HTTP/1.0, so that an answer is what comes until its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._cluster.port, ssl=self._cluster.trust, limit=1 << 24)
        kept = {name: value for name, value in request.headers.items()
                if name not in ("connection", "accept-encoding", "host", "content-length")}
        kept |= {"host": f"127.0.0.1:{self._cluster.port}", "content-length": str(len(request.body))}
        target = f"{request.path}?{request.query}" if request.query else request.path
        lines = [f"{request.method} {target} HTTP/1.0", *(f"{name}: {value}" for name, value in kept.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + request.body)
        try:
            status, headers = await _head(reader)
        except BaseException:
            writer.transport.abort()
            raise
        # The writer is kept as long as the answer is: a connection whose writer nobody has any more is closed, whoever reads from it.
        return Answer(status, headers, reader, lambda: writer.transport.abort())


async def _head(reader):
    """Status and headers of an answer of the API server."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    for name in ("connection", "content-length", "transfer-encoding"):
        headers.pop(name, None)
    return int(first.split(" ")[1]), headers
