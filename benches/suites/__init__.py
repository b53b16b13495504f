"""One module per benchmark. Each has ``add_arguments(parser)`` and ``run(args) -> Report``."""
