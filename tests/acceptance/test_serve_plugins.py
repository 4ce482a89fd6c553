"""What plugins leave in a service that stays: their code, and nothing of what compiled it."""

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
