"""The guest that misbehaves, as a project's plugin."""

import hashlib

from support.product import guest_file


def hostile(project, manifest, granted=True):
    """Gives a project the guest that misbehaves, with a manifest, and grants it metrics."""
    guest = project.folder / "plugins/hostile.wasm"
    guest.parent.mkdir(exist_ok=True)
    section = b"\x11whimbrel:manifest" + manifest.encode()
    assert len(section) < 128, "a longer one needs more bytes for its length"
    guest.write_bytes(guest_file("hostile").read_bytes() + b"\0" + bytes([len(section)]) + section)
    digest = hashlib.sha256(guest.read_bytes()).hexdigest()
    project.declare(plugins={"hostile": {
        "path": "plugins/hostile.wasm", "digest": f"sha256:{digest}", "grants": {"metrics": granted},
    }})
