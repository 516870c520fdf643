#!/usr/bin/env python3
"""Entry point of every command; finds or starts the database first where a command needs one."""

import os
import sys


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orderhub.settings")
    from orderhub.core.local import prepare_environment  # noqa: PLC0415  (must run before settings are read)

    prepare_environment(sys.argv)
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
