"""What the product's JSON says, by the words of its documentation."""


def digest(plan):
    """The digest of a plan."""
    return plan["digest"]


def planned(plan):
    """What a plan would do, in order: pairs of action and migration."""
    return [
        (work["action"], work.get("migration") or work.get("to"))
        for target in plan["targets"]
        for work in target["work"]
    ]


def states(status, target=None):
    """The state of each migration, over all targets or of one."""
    return {
        migration["name"]: migration["state"]
        for one in status["targets"]
        if target in (None, one["target"])
        for migration in one["migrations"]
    }


def in_state(status, state, target=None):
    """The names of the migrations in a state, in order."""
    return [name for name, found in states(status, target).items() if found == state]
