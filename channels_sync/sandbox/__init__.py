"""Local stand-ins for the platforms: a Taobao gateway, a warehouse, and a mini-program shop that pushes its orders.

Nothing in product code knows of this package, and this package imports no connector: both sides read the same public
protocol, so that a mistake in one shows in the other. What it plays and its options: `docs/sandbox.md`.
"""
