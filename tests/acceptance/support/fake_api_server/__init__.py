"""A fake API server of Kubernetes, in memory, which fails as it is told.

It is as much of one as the suite asks for, and the suite asks the real one the same (`test_api_server.py`, and whatever is marked
`on_both`). What it knows: the kinds of definitions that are applied to it, and a few of Kubernetes' own; reading, lists in pages,
watches from a version with bookmarks; conflicts, server-side apply with owners of fields, `status` by itself, generations,
finalizers, preconditions, dry runs; what a schema says of types, required fields, enumerations, bounds and patterns.

What it doesn't: CEL and other policies, roles (everybody with a token may do everything), controllers (owners take nothing with
them, Jobs have no Pods, a namespace that is deleted stays), strategic merge patches, tables, OpenAPI. Tests of these have the real
one.
"""

from support.fake_api_server.server import FakeCluster

__all__ = ["FakeCluster"]
