"""What plugins leave in a service that stays: their code, and nothing of what compiled it."""

import contextlib
import os
import signal
import threading
from pathlib import Path

from support.git_host import ping


def mapped(server):
    """The files of compiled code that a server has in its memory."""
    lines = Path(f"/proc/{server.running.process.pid}/maps").read_text().splitlines()
    return {Path(line.split()[-1]) for line in lines if line.endswith(".cwasm")}


def test_a_plugin_is_compiled_by_another_process(hosted, tmp_path):
    server = hosted.serve()
    # What a process has compiled itself isn't from a file.
    [code] = mapped(server)
    assert code.parent == tmp_path / "mirrors"
    ping(hosted.secret).send(server, status=200)
    hosted.end(server)


def test_a_plugin_is_compiled_here_where_code_can_not_be_kept(hosted, tmp_path):
    folder = tmp_path / "mirrors"
    folder.mkdir()
    folder.chmod(0o777)
    server = hosted.serve()
    assert not mapped(server)
    ping(hosted.secret).send(server, status=200)
    hosted.end(server)


@contextlib.contextmanager
def no_compilers(folder):
    """Kills whoever compiles into a folder, as soon as it is there; gives those that were."""
    ended, killed = threading.Event(), set()
    ours = f"\0plugin\0compile\0pooled\0{folder}\0".encode()

    def kill():
        while not ended.wait(0.005):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if (process / "cmdline").read_bytes().endswith(ours):
                        os.kill(int(process.name), signal.SIGKILL)
                        killed.add(process.name)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def test_a_plugin_is_compiled_here_where_the_other_process_fails(hosted, tmp_path):
    with no_compilers(tmp_path / "mirrors") as killed:
        server = hosted.serve()
    assert len(killed) == 1 and not mapped(server)
    ping(hosted.secret).send(server, status=200)
    hosted.end(server)
