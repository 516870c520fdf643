"""The order pool and the shell that puts the hub together."""
