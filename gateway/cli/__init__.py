"""The command line `octroi`."""


def main() -> None:
    """Run the command line (`gateway.cli.application`)."""
    # Every worker imports what the script of its supervisor imports: what only commands need would stay in its memory.
    from gateway.cli.application import run

    run()
