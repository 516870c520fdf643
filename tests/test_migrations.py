from django.apps import apps
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

OURS = ("orderhub", "channels_sync", "triage")


def test_every_model_change_has_its_migration(db, capsys):
    call_command("makemigrations", "--check", "--dry-run")
    assert capsys.readouterr().out == "No changes detected\n"


def test_no_two_migrations_end_one_app():
    assert MigrationLoader(None).detect_conflicts() == {}


def test_every_migration_can_be_taken_back():
    loader = MigrationLoader(None)
    stuck = [
        f"{app}.{name}: {operation}"
        for (app, name), migration in loader.disk_migrations.items()
        if app in OURS
        for operation in migration.operations
        if not operation.reversible
    ]
    assert stuck == []


def test_the_unique_keys_of_orders_hold_the_shop():
    """The key by which a distributed PostgreSQL would shard; a key without it could not be kept there."""
    for name in ("Order", "OrderLine", "Buyer", "Parcel", "Effect", "InboxItem", "Reject"):
        model = apps.get_model("orderhub", name)
        for constraint in model._meta.constraints:
            fields = getattr(constraint, "fields", ())
            assert not fields or "shop" in fields, f"{name}: {constraint.name}"
