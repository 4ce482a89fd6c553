"""What `whimbrel serve` gives back when it has come to rest."""

from pathlib import Path

from support.waiting import eventually


def program(server):
    """How much of the program's own file a server has in memory as it is there, in KiB."""
    process = server.running.process
    name = str(Path(f"/proc/{process.pid}/exe").readlink())
    size, file, resident = 0, "", 0
    for line in Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0]:
            file = line.split(maxsplit=5)[5] if len(words) > 5 else ""
        elif words[0] == "Rss:":
            resident = int(words[1])
        elif words[0] == "Anonymous:" and file == name:
            size += resident - int(words[1])
    return size


def test_of_its_own_code_a_server_at_rest_has_what_it_needs_there(serve, project, sqlite):
    project.environment("dev", {"shop": sqlite.url})
    for number in range(1, 101):
        project.table(f"{number:04}-t{number}")
    server = serve()
    server.phase("current")
    # Nobody asks it for anything meanwhile.
    working = program(server)
    eventually(lambda: program(server) < working / 2, "most of what its work needed is given back", within=60)
    # What it gave back is there when it is needed again.
    project.table("0101-more")
    server.ring()
    eventually(lambda: len(sqlite.tables()) == 101, "it works as before")
    server.phase("current")
    server.end()
